"""The hardware table: rows of vendor tools and of the RTL, the published chip, what was not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.results import chip_synthesis, pareto_point, pareto_scan, placement
from bitexact_tests.samples.vendor_reports import CONFIG, write
from hls.report import CHIP
from models.errors import InputError
from models.hardware import Implementation
from models.result import Result
from models.weights import EncoderWeights
from rtl.design.chip import AutoencoderChip
from rtl.results import Activity, ConstantSynthesis, Energy, Resources, StageTiming, StaticTiming
from training.fit.run import Run
from training.report.hardware import CONSTANTS, LEVEL_NS, WIRES, hardware, rtl_row
from training.results.report import Hardware

RTL = chip_synthesis(CONFIG.encoder)


def rows(found: Hardware) -> dict[str, Implementation]:
    return {row.name: row for row in found.implementations}


def test_without_tools_the_rows_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = rows(hardware(Run(tmp_path, CONFIG)))
    chip = found.pop(CHIP.name)
    assert (chip.area, chip.power, chip.latency_bx) == ("3.6 mm2", "95 mW, 2.4 nJ per event", 2)
    absent = "not run: vitis-run or vitis_hls not found; where it is installed, econ-t convert and then econ-t synth"
    assert found["C++ (vitis)"].tool == absent
    assert found["C++ (catapult)"].tool.startswith("not run: catapult not found")
    for row in found.values():
        assert row.absent and "econ-t " in row.tool, row.name


def test_rtl_files_become_rows(tmp_path: Path) -> None:
    RTL.save(tmp_path / "rtl_xc7.json")
    chip_synthesis(CONFIG.encoder, fold=8, latency_clocks=20, interval_clocks=8, redundant=True, levels=20).save(
        tmp_path / "rtl_xc7_fold8.json")
    found = rows(hardware(Run(tmp_path, CONFIG)))
    row = found["RTL, parallel, in Xilinx 7 series"]
    assert (row.lut, row.ff, row.dsp, row.bram, row.nand2) == (13, 6, 0, 0, None)
    assert (row.latency_bx, row.latency_ns, row.interval_cycles) == (4, 100, 1)
    assert "Yosys (pyosys 0.70)" in row.tool and "40 levels" in row.tool and "cells alone" in row.tool
    folded = found["RTL, folded, N = 8, registers in three copies, in Xilinx 7 series"]
    assert (folded.latency_bx, folded.interval_cycles, folded.clock_ns) == (2.5, 8, 3.125)
    assert row.fmax_mhz is not None and folded.fmax_mhz == pytest.approx(2 * row.fmax_mhz)
    assert found["RTL in NAND2 gates"].tool.startswith("not run (about 1 min on one core): econ-t rtl synth ")
    write(tmp_path / "rtl_xc7.json", "{}")
    with pytest.raises(InputError, match=r"rtl_xc7\.json: key \w+ is missing"):
        rtl_row(CONFIG, tmp_path / "rtl_xc7.json", "")


def test_a_placed_design_has_the_clock_of_its_median_seed(tmp_path: Path) -> None:
    absent = rows(hardware(Run(tmp_path, CONFIG)))["RTL, placed in Lattice ECP5"]
    assert absent.tool.startswith("not run (an hour): econ-t rtl place ")
    placement(CONFIG.encoder, 50.0, 40.0, 48.0).save(tmp_path / "placed_fold16.json")
    found = rows(hardware(Run(tmp_path, CONFIG)))
    row = found["RTL, pipelined, N = 16, placed in LFE5U"]
    assert (row.fmax_mhz, row.lut, row.ff, row.interval_cycles, row.latency_ns) == (48.0, 60000, 18000, 16, 32e3 / 48)
    assert row.tool == "nextpnr; fmax after routing, median of 3 seeds, 40 to 50 MHz"
    assert "RTL, placed in Lattice ECP5" not in found


def test_cells_of_silicon_have_an_area_and_no_blocks_of_an_fpga(tmp_path: Path) -> None:
    chip_synthesis(CONFIG.encoder, technology="osu018", resources=Resources(area_um2=2_500_000, ff=6)).save(
        tmp_path / "rtl_osu018.json")
    row = rtl_row(CONFIG, tmp_path / "rtl_osu018.json", "180 nm cells")
    assert (row.area, row.ff, row.lut, row.dsp, row.bram, row.fmax_mhz) == ("2.5 mm2 of cells", 6, *[None] * 4)


def test_slack_and_energy_in_cells_of_silicon_are_part_of_their_row(tmp_path: Path) -> None:
    stages = tuple(StageTiming(register_name=name, bits=1, slack_ns=slack, cells=9, buffers=0, path=())
                   for name, slack in (("first", 9.0), ("second", 5.0)))
    timing = StaticTiming(tool="OpenSTA 2.0.17", library="cells", clock_ns=25, fan_out=10, buffers=0, stages=stages)
    energy = Energy(volts=1.8, by_block_pj={"block": 900.0}, clock_pins_pj=300, register_clock_pins_pj=34)
    activity = Activity(events=1, changes=1, flip_flop_changes=1, clocked_flip_flops=1, changes_per_net_and_clock=0.1,
                        by_block={"block": 1}, energy=energy)
    chip_synthesis(CONFIG.encoder, technology="osu018", resources=Resources(area_um2=2_500_000, ff=6),
                   static_timing=timing, activity=activity).save(tmp_path / "rtl_osu018.json")
    row = rtl_row(CONFIG, tmp_path / "rtl_osu018.json", "180 nm cells")
    assert (row.fmax_mhz, row.power) == (50, "1.23 nJ per event in cells")
    assert row.tool.endswith("; fmax by OpenSTA 2.0.17, cells alone")


def test_delay_of_a_level_is_that_of_the_path_and_the_levels_that_are_documented() -> None:
    text = " ".join((REPOSITORY / "docs" / "hardware.md").read_text().split())
    found = re.search(r"`sta` finds ([\d.]+) ns .* has (\d+) levels .* a level is ([\d.]+) ns, .*: (\d+) MHz", text)
    assert found is not None
    path_ns, levels, level_ns, fmax_mhz = map(float, found.groups())
    assert LEVEL_NS["xc7"] == path_ns / levels
    assert (level_ns, fmax_mhz) == (round(path_ns / levels, 3), round(1000 / path_ns))
    sizes = (REPOSITORY / "docs" / "rtl.md").read_text()
    assert re.search(rf"^\| xcup \| parallel \|.*\| {levels:g} \| \d+ \|$", sizes, re.MULTILINE), "levels of rtl.md"


def test_what_wires_add_is_what_is_documented() -> None:
    text = (REPOSITORY / "docs" / "hardware.md").read_text()
    found = re.search(r"^\| encoder, .*\| (\d+) \| ([\d.]+) ns \| ([\d.]+) ns \| ([\d.]+) MHz \| ([\d.]+) \|$", text,
                      re.MULTILINE)
    assert found is not None
    levels, estimate_ns, routed_ns, fmax_mhz, factor = map(float, found.groups())
    assert estimate_ns == round(levels * LEVEL_NS["xc7"], 2) and routed_ns == round(1000 / fmax_mhz, 1)
    assert factor == WIRES == round(routed_ns / estimate_ns, 1)


@pytest.mark.parametrize(("name", "content", "command"), [
    ("rtl_xc7.json", RTL, " with econ-t rtl synth"),
    ("placed_fold16.json", placement(CONFIG.encoder, 50.0), ": econ-t rtl place .*"),
    ("pareto/pareto.json", pareto_scan(pareto_point(3, 8, 300, 1.0, "of other widths"),
                                       pareto_point(6, 8, 600, 0.8, CONFIG.encoder.digest())), ": econ-t pareto .*"),
])
def test_what_another_spec_made_is_refused(tmp_path: Path, name: str, content: Result, command: str) -> None:
    text = content.model_dump_json()
    path = write(tmp_path / name, text)
    hardware(Run(tmp_path, CONFIG))
    digest = CONFIG.encoder.digest()
    write(path, text.replace(digest, "0123456789abcdef"))
    with pytest.raises(InputError, match=rf"^{path}: made for another encoder \(spec 0123456789abcdef, "
                                         rf"expected {digest}\); make it again{command}$"):
        hardware(Run(tmp_path, CONFIG))
    write(path, text.replace('"digest"', '"no"'))
    with pytest.raises(InputError, match=rf"^{path}: key [\w.]*digest is missing$"):
        hardware(Run(tmp_path, CONFIG))


def test_what_synthesis_writes_is_what_the_table_reads(tmp_path: Path) -> None:
    """The clocks, by the code that writes them."""
    top = AutoencoderChip(CONFIG.encoder)
    RTL.model_copy(update={"technology": "gates", **dict(top.describe())}).save(tmp_path / "rtl_gates.json")
    row = rtl_row(CONFIG, tmp_path / "rtl_gates.json", "NAND2 gates")
    assert (row.name, row.latency_cycles, row.interval_cycles) == ("RTL, parallel, in NAND2 gates", top.latency, 1)


def test_constant_weights_are_a_row_if_they_are_those_of_the_run(tmp_path: Path) -> None:
    weights = EncoderWeights.random(CONFIG.encoder, 1)
    for folder in (tmp_path, tmp_path / "constant"):
        folder.mkdir(exist_ok=True)
        weights.save(folder / "weights.npz")
    path = tmp_path / "constant" / "constant.json"
    found = ConstantSynthesis(digest=CONFIG.encoder.digest(), stages=2, implementations=(
        Implementation(name="constants", tool="a tool", lut=5),))
    found.save(path)
    assert rows(hardware(Run(tmp_path, CONFIG)))["constants"].lut == 5
    EncoderWeights.random(CONFIG.encoder, 2).save(tmp_path / "weights.npz")
    row = rows(hardware(Run(tmp_path, CONFIG)))[f"{CONSTANTS} in Xilinx 7 series"]
    assert row.absent and row.tool.startswith("made from other weights")
    found.model_copy(update={"digest": "0123456789abcdef"}).save(path)
    with pytest.raises(InputError, match="made for another encoder"):
        hardware(Run(tmp_path, CONFIG))
