"""The hardware table: rows of vendor tools and of the RTL, the published chip, what was not run; tools by make."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import CONFIGS, REPOSITORY
from bitexact_tests.samples.results import chip_synthesis, pareto_point, pareto_scan
from bitexact_tests.samples.vendor_reports import CATAPULT, CONFIG, CONFIG_FILE, project, write
from hls.__main__ import app
from hls.backends import BACKENDS
from hls.report import CHIP, counted
from models.config import Config
from models.errors import InputError
from models.hardware import Implementation
from models.result import Result
from models.weights import EncoderWeights
from rtl.design.chip import AutoencoderChip
from rtl.results import ConstantSynthesis, Resources
from training.fit.run import Run
from training.report.hardware import LEVEL_NS, hardware, rtl_row
from training.results.report import Hardware

RTL = chip_synthesis(CONFIG.encoder)


def rows(found: Hardware) -> dict[str, Implementation]:
    return {row.name: row for row in found.implementations}


def test_without_tools_the_rows_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = rows(hardware(Run(tmp_path, CONFIG)))
    chip = found.pop(CHIP.name)
    assert (chip.area, chip.power, chip.latency_bx) == ("3.6 mm2", "95 mW, 2.4 nJ per event", 2)
    absent = "not run: vitis-run or vitis_hls not found; run make hls-synth where it is installed"
    assert found["C++ (vitis)"].tool == absent
    assert found["C++ (catapult)"].tool.startswith("not run: catapult not found")
    for row in found.values():
        assert row.absent and "make " in row.tool, row.name


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
    assert found["RTL in NAND2 gates"].tool == "not run: make rtl-synth TECHNOLOGY=gates"
    write(tmp_path / "rtl_xc7.json", "{}")
    with pytest.raises(InputError, match=r"rtl_xc7\.json: key \w+ is missing"):
        rtl_row(CONFIG, tmp_path / "rtl_xc7.json", "")


def test_cells_of_silicon_have_an_area_and_no_blocks_of_an_fpga(tmp_path: Path) -> None:
    chip_synthesis(CONFIG.encoder, technology="osu018", resources=Resources(area_um2=2_500_000, ff=6)).save(
        tmp_path / "rtl_osu018.json")
    row = rtl_row(CONFIG, tmp_path / "rtl_osu018.json", "180 nm cells")
    assert (row.area, row.ff, row.lut, row.dsp, row.bram, row.fmax_mhz) == ("2.5 mm2 of cells", 6, *[None] * 4)


def test_delay_of_a_level_is_that_of_the_path_and_the_levels_that_are_documented() -> None:
    text = " ".join((REPOSITORY / "docs" / "hardware.md").read_text().split())
    found = re.search(r"`sta` finds ([\d.]+) ns .* has (\d+) levels .* so ([\d.]+) ns a level, .*: (\d+) MHz", text)
    assert found is not None
    path_ns, levels, level_ns, fmax_mhz = map(float, found.groups())
    assert LEVEL_NS["xc7"] == path_ns / levels
    assert (level_ns, fmax_mhz) == (round(path_ns / levels, 3), round(1000 / path_ns))
    sizes = (REPOSITORY / "docs" / "rtl.md").read_text()
    assert re.search(rf"^\| xcup \| parallel \|.*\| {levels:g} \| \d+ \|$", sizes, re.MULTILINE), "levels of rtl.md"


@pytest.mark.parametrize(("name", "content", "command"), [
    ("rtl_xc7.json", RTL, "make rtl-synth"),
    ("pareto/pareto.json", pareto_scan(pareto_point(3, 8, 300, 1.0, "of other widths"),
                                       pareto_point(6, 8, 600, 0.8, CONFIG.encoder.digest())), "make pareto"),
])
def test_what_another_spec_made_is_refused(tmp_path: Path, name: str, content: Result, command: str) -> None:
    text = content.model_dump_json()
    path = write(tmp_path / name, text)
    hardware(Run(tmp_path, CONFIG))
    digest = CONFIG.encoder.digest()
    write(path, text.replace(digest, "0123456789abcdef"))
    with pytest.raises(InputError, match=rf"^{path}: made for another encoder \(spec 0123456789abcdef, "
                                         rf"expected {digest}\); run {command} again$"):
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
    row = rows(hardware(Run(tmp_path, CONFIG)))["RTL, these weights as constants"]
    assert row.absent and row.tool.startswith("made from other weights")
    found.model_copy(update={"digest": "0123456789abcdef"}).save(path)
    with pytest.raises(InputError, match="made for another encoder"):
        hardware(Run(tmp_path, CONFIG))


def test_what_is_counted() -> None:
    found = {one.quantity: one.value for one in counted(CONFIG)}
    assert found["weight registers"] == "2144 codes = 12864 bits"
    assert found["multiplications per event"] == "968 + 2048 = 3016"


def test_command_line_prints_the_table(tmp_path: Path) -> None:
    write(project(tmp_path, "catapult") / "econ_t.v1" / "rtl.rpt", CATAPULT)
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--project", f"catapult={tmp_path}"])
    assert done.exit_code == 0, done.output
    assert "586,221" in done.output and "not run" in done.output and "3.6 mm2" in done.output


@pytest.mark.parametrize(("entry", "message"), [
    ("vitis", "--project vitis, expected vitis=FOLDER or catapult=FOLDER"),
    ("vitis=", "--project vitis=, expected vitis=FOLDER or catapult=FOLDER"),
    ("vits={folder}", "--project vits={folder}, expected vitis=FOLDER or catapult=FOLDER"),
    ("vitis={folder}/nowhere", "{folder}/nowhere/project.json is missing, expected a vitis project"),
    ("vitis={folder}/other",
     "{folder}/other/project.json: made for another encoder (spec 0123456789abcdef, expected {digest})"),
    ("vitis={folder}/catapult", "{folder}/catapult/project.json: backend catapult, expected vitis"),
])
def test_project_of_something_else_is_refused(tmp_path: Path, entry: str, message: str) -> None:
    write(project(tmp_path / "other", "vitis", digest="0123456789abcdef") / "vitis.tcl", "")
    write(project(tmp_path / "catapult", "catapult") / "vitis.tcl", "")
    names = {"folder": str(tmp_path), "digest": CONFIG.encoder.digest()}
    entry, message = entry.format(**names), message.format(**names)
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--project", entry])
    assert done.exit_code == 2 and done.stderr.startswith(f"error: {message}") and done.stderr.count("\n") == 1
    folder = entry.partition("vitis=")[2]
    if folder:
        done = CliRunner().invoke(app, ["synth", "--config", str(CONFIG_FILE), "--project", folder])
        assert done.exit_code == 2 and done.stderr.startswith(f"error: {message}")


def _tool(folder: Path, name: str, log: Path, status: int = 0) -> None:
    """A stand-in that notes how it was called, if the last word is a file where it was called."""
    program = write(folder / name, f'#!/bin/sh\nfor file; do :; done\n'
                                   f'test -f "$file" && echo "{name} $*" >> {log}\nexit {status}\n')
    program.chmod(0o755)


@pytest.mark.parametrize("status", [0, 3])
def test_make_runs_the_tools_that_are_there_and_fails_for_those_that_are_not(tmp_path: Path, status: int) -> None:
    """`make hls-synth` for both backends: Vitis and Vivado are there, Catapult is not."""
    run, log, bin_folder = tmp_path / "run", tmp_path / "log", tmp_path / "bin"
    for backend in BACKENDS.values():
        for name, text in backend.scripts(CONFIG).items():
            assert "@" not in text
            write(project(run / f"hls_{backend.name}", backend.name) / name, text)
    _tool(bin_folder, "vitis-run", log, status)
    _tool(bin_folder, "vivado", log)
    make = ["make", "--no-print-directory", "-o", ".venv/ready", "hls-synth", f"CONFIG={CONFIG_FILE}", f"RUN={run}",
            f"PYTHON={sys.executable}"]
    done = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=False,
                          env={"PATH": f"{bin_folder}:/usr/bin:/bin"})
    assert done.returncode == 2
    assert "synthesis with catapult not run: catapult not found" in done.stderr
    calls = ["vitis-run --mode hls --tcl vitis.tcl", "vivado -mode batch -source vivado.tcl"]
    assert log.read_text().splitlines() == (calls if status == 0 else calls[:1])


def test_every_configuration_has_its_scripts() -> None:
    for path in CONFIGS:
        config = Config.load(path)
        scripts = {name: text for backend in BACKENDS.values() for name, text in backend.scripts(config).items()}
        assert set(scripts) == {"vitis.tcl", "vivado.tcl", "catapult.tcl"}
        for name in ("vitis.tcl", "vivado.tcl"):
            assert config.hls.part in scripts[name] and f"-period {config.hls.clock_period_ns:g} " in scripts[name]


@pytest.mark.parametrize(("fold", "options", "name"), [
    ("", "", ""), ("1", "--fold 1 ", ""), ("16", "--fold 16 ", "_fold16")])
def test_make_gives_each_fold_files_of_its_own(fold: str, options: str, name: str) -> None:
    make = ["make", "--dry-run", "--no-print-directory", "-o", ".venv/ready", "rtl-synth", "rtl-activity", "RUN=run",
            "TECHNOLOGY=gates", f"FOLD={fold}"]
    text = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    lines = re.sub(r"\s+", " ", text.replace("\\\n", " "))
    assert "rtl synth --config configs/econ_t_5elink.yaml --technology $technology " \
        f"{options}--json run/rtl_$technology{name}.json" in lines
    assert f"--netlists run/rtl/gates{name} --timeout 3000 {options}--json run/rtl_gates{name}.json" in lines
    assert f"--netlists run/rtl/gates{name} --json run/rtl_gates{name}.json" in lines
