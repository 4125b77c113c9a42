"""The commands of the RTL: files whole or not at all, errors in one line."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.results import chip_synthesis, placement
from models.calq_io import write_calq
from models.config import Config
from models.console import WholeWords
from models.errors import ToolFailed
from models.hardware import Implementation
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from rtl.__main__ import app
from rtl.commands.console import blocks_progress, tell_placement, tell_sizes, waiting
from rtl.results import ChipSynthesis, StageTiming, StaticTiming
from rtl.simulation.simulate import Simulation

pytestmark = pytest.mark.usefixtures("_yosys")


def test_simulation_runs_the_model_that_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that in the folder --build, which another command may have replaced."""
    programs = []

    def run(self: Simulation, *_: object) -> None:
        programs.append(self.program)
        raise ToolFailed("no more is needed")

    monkeypatch.setattr(Simulation, "build", Simulation.built)
    monkeypatch.setattr(Simulation, "run", run)
    spec = EncoderSpec.chip(5)
    EncoderWeights.random(spec, 1).save(tmp_path / "weights.npz")
    write_calq(tmp_path / "calq.csv", np.zeros((3, 48), dtype=int))
    done = CliRunner().invoke(app, [
        "sim", "--config", str(REPOSITORY / "configs" / "econ_t_5elink.yaml"), "--weights",
        str(tmp_path / "weights.npz"), "--input", str(tmp_path / "calq.csv"), "--output", str(tmp_path / "latent.csv"),
        "--build", str(tmp_path / "model")])
    assert done.exit_code == 2 and "no more is needed" in done.stderr
    assert programs[0].is_relative_to(tmp_path) and not programs[0].is_relative_to(tmp_path / "model")


def test_command_line_writes_verilog_whole_or_not_at_all(tmp_path: Path) -> None:
    config = REPOSITORY / "configs" / "econ_t_2elink.yaml"
    target = tmp_path / "encoder.v"
    command = [sys.executable, "-m", "rtl", "verilog", "--config", str(config), "--output", str(target)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    assert "module autoencoder_chip(" in target.read_text()
    broken = [*command[:5], str(tmp_path / "none.yaml"), *command[6:]]
    target.unlink()
    result = subprocess.run(broken, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and result.stderr.count("\n") == 1 and not list(tmp_path.iterdir())


def test_unknown_proof_is_told_in_one_line() -> None:
    done = CliRunner().invoke(app, ["formal", "--only", "mask of 61 bits"])
    assert done.exit_code == 2
    assert "--only 'mask of 61 bits', expected" in done.stderr and done.stderr.count("\n") == 1
    assert done.stderr.endswith("; did you mean 'mask of 16 bits'?\n")


@pytest.mark.parametrize(("options", "message"), [
    ([], "give either --config or --project"),
    (["--config", "econ_t_5elink", "--project", "."], "give either --config or --project"),
    (["--config", "econ_t_5elink", "--fold", "1"], "a pipelined encoder works on slices"),
    (["--config", "econ_t_5elink", "--fold", "3", "--no-pipelined"], "rtl.fold 3 does not split the 16 pixels"),
    (["--config", "econ_t_5elink", "--fold", "16"], "placed.json: exists; choose another name, or give --force"),
])
def test_what_cannot_be_placed_is_told_before_any_work(tmp_path: Path, options: list[str], message: str) -> None:
    (tmp_path / "placed.json").write_text("kept")
    done = CliRunner().invoke(app, ["place", "--json", str(tmp_path / "placed.json"), "--build",
                                    str(tmp_path / "build"), *options])
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["placed.json"]
    assert (tmp_path / "placed.json").read_text() == "kept"


def test_configuration_takes_the_folds_that_the_option_takes(tmp_path: Path) -> None:
    text = (REPOSITORY / "configs" / "econ_t_5elink.yaml").read_text(encoding="utf-8")
    for fold, found in ((128, ""), (256, "expected one of 1, 2, 4, 8, 16, 32, 64, 128")):
        (tmp_path / "folded.yaml").write_text(f"{text}\nrtl: {{fold: {fold}}}\n", encoding="utf-8")
        done = CliRunner().invoke(app, ["verilog", "--config", str(tmp_path / "folded.yaml"), "--output",
                                        str(tmp_path / f"{fold}.v")])
        assert done.exit_code == (2 if found else 0) and found in done.stderr, done.stderr
        assert (tmp_path / f"{fold}.v").exists() == (not found)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the commands write on a terminal of 80 columns."""
    found = io.StringIO()
    for name in ("console.console_for", "timing.result_console"):
        monkeypatch.setattr(f"rtl.commands.{name}",
                            lambda *_, **__: WholeWords(file=found, width=80, highlight=False, markup=False))
    return found


def test_a_terminal_shows_progress_and_a_file_none(shown: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: list[Any] = ["a", "b"]
    for is_terminal in (False, True):
        console = WholeWords(file=shown, width=80, force_terminal=is_terminal, color_system=None)
        monkeypatch.setattr("rtl.commands.console.console_for", lambda console=console, **_: console)
        assert list(blocks_progress(blocks)) == blocks
        with waiting("mapping"):
            pass
        text = shown.getvalue()
        assert ("100%" in text and "mapping" in text) if is_terminal else not text


def test_a_size_fits_a_terminal(shown: io.StringIO) -> None:
    tell_sizes([Implementation(name="RTL", tool="Yosys on da4ml's Verilog, before placement; fmax by cells alone, "
                                                "without wires",
                               lut=3656, ff=957, latency_cycles=3, clock_ns=25, fmax_mhz=41.25)])
    assert shown.getvalue() == ("3,656 LUT, 957 FF, latency 3 clocks = 75 ns = 3 BX, at most 41.25 MHz, by Yosys\n"
                                "on da4ml's Verilog, before placement; fmax by cells alone, without wires\n")


@pytest.mark.parametrize(("mhz", "of"), [((81.5,), "(seed 1)"), ((80, 83), "(median of 2 seeds, 80.0 to 83.0 MHz)")])
def test_a_placement_fits_a_terminal(shown: io.StringIO, mhz: tuple[float, ...], of: str) -> None:
    tell_placement(placement(EncoderSpec.chip(5), *mhz))
    *size, title, path = shown.getvalue().splitlines()
    assert len(size) == 2 and max(map(len, size)) <= 80
    assert " ".join(size) == (f"RTL, pipelined, N = 16 in LFE5U: 81.5 MHz {of}, 5.09 million events/s, 60,000 of "
                              "83,640 LUT, 18,000 flip-flops")
    assert (title, path) == ("critical path of seed 1:", "  encoder: 4.00 ns in cells, 8.00 ns in wires")


def test_slack_is_a_table_and_a_file(shown: io.StringIO, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stages = tuple(StageTiming(register_name=name, bits=208, slack_ns=slack, cells=98, buffers=4, path=())
                   for name, slack in (("words", 24.1539), ("hidden_code", 9.6817)))
    timing = StaticTiming(tool="OpenSTA 2.0.17", library="cells", clock_ns=25, fan_out=10, buffers=0, stages=stages)
    monkeypatch.setattr("rtl.mapping.static_timing.static_timing", lambda top, netlists: timing)
    summary = tmp_path / "rtl_osu018.json"
    chip_synthesis(Config.load("econ_t_5elink").encoder, technology="osu018").save(summary)
    done = CliRunner().invoke(app, ["timing", "--config", "econ_t_5elink", "--netlists", str(tmp_path), "--json",
                                    str(summary), "--csv", str(tmp_path / "slack.csv")])
    assert done.exit_code == 0, done.output
    assert [line.split() for line in shown.getvalue().splitlines()[1:]] == [
        ["register", "slack", "[ns]", "bits", "cells"], ["─" * len(shown.getvalue().splitlines()[2].strip())],
        ["hidden_code", "9.68", "208", "98"], ["words", "24.15", "208", "98"]]
    assert (tmp_path / "slack.csv").read_text() == (
        "register_name,bits,slack_ns,cells,buffers\nhidden_code,208,9.6817,98,4\nwords,208,24.1539,98,4\n")
    assert ChipSynthesis.load(summary).static_timing == timing
