"""What is kept of a place and route; a small decoder through the real tools, and its routed netlist on events."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import missing
from bitexact_tests.samples.charges import charges
from bitexact_tests.samples.decoders import fields, sized
from bitexact_tests.samples.placed import REPORT
from bitexact_tests.samples.rtl import CHIP, build
from emulator import encode
from emulator.codes import FINE_SUM
from emulator.compact_decoder import charge_codes
from emulator.formatter import bx_counter
from models.chip import ORBIT
from models.compact_decoder import CompactDecoder
from models.errors import InputError, ToolMissing
from models.weights import EncoderWeights
from rtl.__main__ import app
from rtl.constant.project import ConstantProject
from rtl.design.chip import AutoencoderChip
from rtl.design.decoder import ReloadableDecoder
from rtl.placing import flow, nextpnr
from rtl.placing.flow import Clock, Source, place
from rtl.placing.harness import EncoderHarness
from rtl.placing.routed import write_verilog
from rtl.placing.simulation import frames, routed_charges, routed_codes
from rtl.placing.sources import project_source
from rtl.results import Placement

SMALL = CHIP.evolve(conv={"filters": 1, "stride": 3}, dense={"outputs": 2})


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "design.v"
    path.write_text("module design(input clk); endmodule")
    return Source("design", "0" * 16, None, "design", 16, 30, ("read_verilog",), (path,))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is run, with stand-ins for both tools: seed n reaches 50 + n MHz, and seed 9 takes too long."""
    done: list[str] = []

    def synthesis(commands: list[str], timeout_seconds: float) -> str:
        done.append("synthesis")
        written = next(command for command in commands if command.startswith("write_json"))
        Path(re.findall('"(.*)"', written)[0]).write_text("{}")
        return "== path ==\nLongest topological path in design (length=12)\n"

    def route(netlist: Path, folder: Path, seed: int, target_mhz: float, timeout_seconds: float,
              report: Callable[[str], None]) -> None:
        done.append(f"seed {seed}")
        assert netlist.read_text() == "{}" and timeout_seconds > 0
        if seed == 9:
            raise TimeoutError("too long")
        (folder / nextpnr.REPORT_FILE).write_text(json.dumps(REPORT | {"fmax": {"clk": {"achieved": 50 + seed}}}))

    monkeypatch.setattr(flow.yosys, "run", synthesis)
    monkeypatch.setattr(flow.yosys, "version", lambda: "Yosys 1")
    monkeypatch.setattr(flow.nextpnr, "version", lambda: "nextpnr 1")
    monkeypatch.setattr(flow.nextpnr, "route", route)
    return done


def test_what_is_there_is_not_made_again(source: Source, runs: list[str], tmp_path: Path) -> None:
    first = place(source, tmp_path / "build", [1, 2], 80, Clock(60))
    assert runs == ["synthesis", "seed 1", "seed 2"]
    said: list[str] = []
    second = place(source, tmp_path / "build", [1, 2, 3], 80, Clock(60), said.append)
    assert runs[3:] == ["seed 3"] and second.seeds[:2] == first.seeds
    assert said[0] == "seed 1 (1 of 3): 51.0 MHz, 0 s, from an earlier call"
    assert (second.levels, second.fmax_mhz, second.spread_mhz) == (12, 52.0, (51.0, 53.0))
    assert second.events_per_second == 52e6 / 16 and second.factor(0.5) == pytest.approx(1000 / 52 / 6)


@pytest.mark.parametrize("change", ["design", "yosys", "nextpnr", "options", "target"])
def test_another_design_tool_or_clock_is_placed_anew(
    source: Source, runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    place(source, tmp_path / "build", [1], 80, Clock(60))
    if change == "design":
        source.files[0].write_text("module design(input clk, rst); endmodule")
    elif change == "options":
        monkeypatch.setattr(nextpnr, "OPTIONS", (*nextpnr.OPTIONS, "--tmg-ripup"))
    elif change != "target":
        monkeypatch.setattr(getattr(flow, change), "version", lambda: "2")
    place(source, tmp_path / "build", [1], 81 if change == "target" else 80, Clock(60))
    assert runs == ["synthesis", "seed 1"] * 2


def test_at_the_time_limit_the_seeds_that_are_ready_are_the_result(
    source: Source, runs: list[str], tmp_path: Path
) -> None:
    said: list[str] = []
    found = place(source, tmp_path / "build", [1, 9, 2], 80, Clock(60), said.append)
    assert [seed.seed for seed in found.seeds] == [1, 2] and "seed 9 (2 of 3): left out, 60 s are over" in said
    with pytest.raises(TimeoutError):
        place(source, tmp_path / "build", [9], 80, Clock(60))
    # Seeds that are there cost nothing, so a run without time has them; nothing half-made is left.
    assert place(source, tmp_path / "build", [1, 2, 3], 80, Clock(-1)).seeds == found.seeds
    build = tmp_path / "build" / found.made_from
    assert sorted(path.name for path in build.iterdir()) == ["mapped", "seed_1", "seed_2"]


@pytest.mark.parametrize(("cells", "message"), [
    ({"x": {"type": "EHXPLLL", "parameters": {}, "connections": {}}}, "cell x: type EHXPLLL, expected one of"),
    ({}, "flip-flops with 0 clocks, expected 1"),
    ({"x": {"type": "TRELLIS_COMB", "parameters": {"MODE": "DPRAM", "INITVAL": "0"}, "connections": {}}},
     "cell x: MODE DPRAM, expected one of LOGIC, CCU2"),
])
def test_a_netlist_with_other_cells_is_refused(tmp_path: Path, cells: dict[str, object], message: str) -> None:
    (tmp_path / "routed.json").write_text(json.dumps({"modules": {"top": {"ports": {}, "cells": cells}}}))
    with pytest.raises(InputError, match=message):
        write_verilog(tmp_path / "routed.json", tmp_path / "routed.v")
    assert not (tmp_path / "routed.v").exists()


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "constant.json").write_text('{"digest": "0", "stages": 4, "implementations": []}')
    with pytest.raises(InputError, match=r"constant_layers\.v: not found"):
        project_source(tmp_path, tmp_path / "rtl")


def require_nextpnr() -> None:
    try:
        nextpnr.version()
    except ToolMissing as error:
        missing(str(error))


@pytest.mark.slow
@pytest.mark.usefixtures("_yosys")
def test_a_routed_decoder_computes_its_integers(tmp_path: Path) -> None:
    """A small one, by the commands."""
    require_nextpnr()
    spec = sized(2, 200, 1)
    decoder, (latent, total) = CompactDecoder.random(spec, 4, density=0.2), fields(spec)
    decoder.save(tmp_path / "compact_200.npz")
    folder, build, result = tmp_path / "project", tmp_path / "build", tmp_path / "placed.json"
    for command in (["decoder", "--decoder", tmp_path / "compact_200.npz", "--output", folder, "--stages", "2",
                     "--no-synthesise"],
                    ["place", "--project", folder, "--build", build, "--json", result, "--seeds", "1"]):
        done = CliRunner().invoke(app, list(map(str, command)))
        assert done.exit_code == 0, done.output
    assert "seed 1 (1 of 1): routing" in done.stderr and "RTL, compact_200 with weights as constants" in done.stdout
    found = Placement.load(result)
    assert (found.digest, found.interval_clocks, found.latency_clocks) == (decoder.digest(), 1, 3)
    assert found.fmax_mhz > 20 and 100 < found.utilisation.lut < 5000 and found.levels > 3
    assert sum(part.cells_ns + part.wires_ns for part in found.seeds[0].critical_path) == pytest.approx(
        1000 / found.fmax_mhz, abs=0.1)
    project = ConstantProject.write(decoder, tmp_path / "again", 2, "xcvu13p-flga2577-2-e", 25.0)
    codes = routed_codes(project, build / found.made_from / "seed_1", np.column_stack([latent, total]), tmp_path)
    np.testing.assert_array_equal(codes, charge_codes(decoder, latent, total))


@pytest.mark.slow
@pytest.mark.usefixtures("_yosys")
def test_a_routed_decoder_computes_with_the_weights_that_are_loaded(tmp_path: Path) -> None:
    """A small one, by the commands, with multipliers and memories of the device."""
    require_nextpnr()
    spec = sized(2, 200, 1)
    decoders, (latent, total) = [CompactDecoder.random(spec, seed) for seed in (4, 5)], fields(spec, 100)
    decoders[0].save(tmp_path / "compact_200.npz")
    folder, build, result = tmp_path / "project", tmp_path / "build", tmp_path / "placed.json"
    for command in (["decoder", "--decoder", tmp_path / "compact_200.npz", "--output", folder, "--reloadable"],
                    ["place", "--project", folder, "--build", build, "--json", result, "--seeds", "1"]):
        done = CliRunner().invoke(app, list(map(str, command)))
        assert done.exit_code == 0, done.output
    found, top = Placement.load(result), ReloadableDecoder(spec)
    assert (found.digest, found.interval_clocks, found.latency_clocks) == (spec.digest(), top.interval, top.latency)
    assert (found.utilisation.dsp, found.utilisation.bram) == (48, 12) and "48 of 156 multipliers" in done.stdout
    expected = [charge_codes(decoder, latent, total) for decoder in decoders]
    np.testing.assert_array_equal(
        routed_charges(top, build / found.made_from / "seed_1", decoders, (latent, total), tmp_path), expected)


@pytest.mark.slow
def test_harness_of_an_encoder_passes_events_and_words(tmp_path: Path) -> None:
    """Before it is mapped."""
    chip = AutoencoderChip(SMALL, "fpga", fold=9, pipelined=True)
    weights, calq = EncoderWeights.random(SMALL, 3, density=0.5), charges(ORBIT + 40, 4)
    found = frames(chip, build(EncoderHarness(chip), tmp_path), weights, calq, tmp_path)
    trace, bits = encode(weights, calq), SMALL.latent_bits
    header, payload = found[:, 0] >> 18, found[:, 0] & 0x3FFFF  # one word holds both outputs
    np.testing.assert_array_equal(np.stack([payload >> bits * i & (1 << bits) - 1 for i in range(2)], axis=1),
                                  trace["latent_code"])
    np.testing.assert_array_equal(header & 511, FINE_SUM.encode(trace["module_sum"]))
    np.testing.assert_array_equal(header >> 9, bx_counter(np.arange(len(calq))))
