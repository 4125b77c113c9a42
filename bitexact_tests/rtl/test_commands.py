"""The commands of the RTL: files whole or not at all, errors in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models.calq_io import write_calq
from models.errors import ToolFailed
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from rtl.__main__ import app
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
