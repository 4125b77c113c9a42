"""Compact decoders with constant weights, by da4ml, against their integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import missing
from bitexact_tests.samples.decoders import FAMILIES, SPECS, fields, sized
from emulator.compact_decoder import charge_codes
from models.compact_decoder import CompactDecoder
from models.errors import InputError, ToolMissing
from models.hardware import Implementation
from rtl.results import ConstantSynthesis, ReloadableDesign

pytest.importorskip("da4ml")

from rtl.__main__ import app
from rtl.constant.layers import ConstantLayers
from rtl.constant.project import ConstantProject, mapped
from rtl.design.decoder import ReloadableDecoder
from rtl.placing.sources import project_source

CASES = [("2 links, 1k, 1 hidden", family) for family in FAMILIES] + [
    ("4 links, 2k, 3 hidden, 4 bits", "random"), ("3 links, 1k, 8 bits", "small"),
    pytest.param("5 links, 3k", "small", marks=pytest.mark.slow)]


@pytest.mark.parametrize(("name", "family"), CASES)
def test_integers_of_da4ml_equal_those_of_the_formats(name: str, family: str) -> None:
    spec = SPECS[name]
    decoder, (latent, total) = FAMILIES[family](spec), fields(spec)
    found = ConstantLayers.trace(decoder).emulate(np.column_stack([latent, total]))
    np.testing.assert_array_equal(found, charge_codes(decoder, latent, total))


def test_verilog_equals_the_integers_an_event_per_clock(tmp_path: Path) -> None:
    spec = sized(2, 500, 1)
    decoder, (latent, total) = FAMILIES["small"](spec), fields(spec)
    project = ConstantProject.write(decoder, tmp_path / "project", 3, "xcvu13p-flga2577-2-e", 25.0)
    assert project.input_bits == (3,) * 16 + (9,) and project.latency == 4
    try:
        simulation = project.simulation(tmp_path / "simulation")
    except ToolMissing as error:
        missing(str(error))
    np.testing.assert_array_equal(project.run(simulation, np.column_stack([latent, total]), tmp_path),
                                  charge_codes(decoder, latent, total))


def test_command_writes_and_counts(tmp_path: Path) -> None:
    decoder = CompactDecoder.random(sized(3, 200, 1), 4, density=0.2)
    decoder.save(tmp_path / "compact_200.npz")
    arguments = ["decoder", "--decoder", str(tmp_path / "compact_200.npz"), "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--stages", "2", "--no-synthesise"])
    assert done.exit_code == 0, done.output
    found = ConstantSynthesis.load(tmp_path / "out" / "constant.json")
    (row,) = found.implementations
    assert found.digest == decoder.digest() and row.name == "RTL, compact_200 with weights as constants"
    assert row.latency_cycles == 3 and row.lut and f"{row.lut:,} LUT" in done.output
    assert CompactDecoder.load(tmp_path / "out" / "decoder.npz").digest() == decoder.digest()
    # A mapping, which takes minutes, is not replaced by an estimate.
    found.model_copy(update={"implementations": (row, row)}).save(tmp_path / "out" / "constant.json")
    done = CliRunner().invoke(app, [*arguments, "--stages", "2", "--no-synthesise"])
    assert done.exit_code == 2 and "give --force to replace it" in done.output
    done = CliRunner().invoke(app, [*arguments, "--stages", "2", "--no-synthesise", "--force"])
    assert done.exit_code == 0 and len(ConstantSynthesis.load(tmp_path / "out" / "constant.json").implementations) == 1
    done = CliRunner().invoke(app, [*arguments, "--stages", "99", "--no-synthesise"])
    assert done.exit_code == 2 and "--stages 99, expected 1 to " in done.output


def test_command_writes_a_decoder_to_reload(tmp_path: Path) -> None:
    decoder = CompactDecoder.random(sized(3, 200, 1), 4)
    decoder.save(tmp_path / "compact_200.npz")
    folder = tmp_path / "out"
    arguments = ["decoder", "--decoder", str(tmp_path / "compact_200.npz"), "--output", str(folder), "--reloadable"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and "48 multipliers, " in done.stdout, done.output
    assert sorted(path.name for path in folder.iterdir()) == [
        ".econ-t", "decoder.npz", "decoder.v", "reloadable.json", "weights.csv"]
    assert f"module reloadable_decoder_{decoder.spec.digest()}(" in (folder / "decoder.v").read_text()
    refused = CliRunner().invoke(app, [*arguments, "--stages", "2"])
    assert refused.exit_code == 2 and "--stages and --reloadable exclude each other" in refused.output
    header, *rows = (folder / "weights.csv").read_text().splitlines()
    assert header == "address,weight" and len(rows) == decoder.flat.size and len(set(rows)) == len(rows)
    assert rows[0] == f"0,{decoder.arrays['bias_0'][0] & 255}"
    found = ReloadableDesign.load(folder / "reloadable.json")
    assert found.digest == decoder.spec.digest() and found.latency_clocks == sum(decoder.spec.sizes[:-1]) + 13
    row = Implementation(name="mapped", tool="Yosys")
    ConstantSynthesis(digest="0", stages=4, implementations=(row, row)).save(folder / "constant.json")
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2 and "give --force to replace it" in done.output
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0 and not (folder / "constant.json").exists()


def test_a_decoder_of_other_shapes_beside_its_result_is_refused(tmp_path: Path) -> None:
    ReloadableDecoder(sized(3, 200, 1)).summary().save(tmp_path / "reloadable.json")
    CompactDecoder.random(sized(2, 200, 1), 4).save(tmp_path / "decoder.npz")
    with pytest.raises(InputError, match=r"reloadable\.json: digest \w{16}, expected \w{16} of decoder\.npz"):
        project_source(tmp_path, tmp_path / "rtl")


def test_size_is_mapped(tmp_path: Path) -> None:
    decoder = CompactDecoder.random(sized(2, 200, 1), 4, density=0.2)
    project = ConstantProject.write(decoder, tmp_path / "project", 1, "xcvu13p-flga2577-2-e", 25.0)
    found = mapped(project)
    assert 0 < found.n_luts < 2 * project.n_luts and 1 < found.delay_ns < 80
