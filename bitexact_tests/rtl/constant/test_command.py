"""The command that writes layers with constant weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.rtl import CHIP
from models.weights import EncoderWeights

pytest.importorskip("da4ml")

from rtl.__main__ import app
from rtl.results import ConstantSynthesis

SPARSE = EncoderWeights.random(CHIP, 3, density=0.08)


def constant(folder: Path, output: Path, *options: str, weights: EncoderWeights = SPARSE) -> Result:
    """The command with sparse random weights."""
    weights.save(folder / "weights.npz")
    return CliRunner().invoke(app, [
        "constant", "--config", str(REPOSITORY / "configs" / "econ_t_5elink.yaml"), "--weights",
        str(folder / "weights.npz"), "--output", str(output), "--no-synthesise", *options])


def test_a_project_with_its_size_is_written(tmp_path: Path) -> None:
    done = constant(tmp_path, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "da4ml" in done.output and "LUT" in done.output
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names >= {"src/constant_layers.v", "src/constant_layers.xdc", "build_vivado_prj.tcl", "constant.json",
                     "weights.npz"}
    found = ConstantSynthesis.load(tmp_path / "out" / "constant.json")
    assert found.digest == CHIP.digest() and found.implementations[0].lut and not found.implementations[0].absent


@pytest.mark.parametrize(("weights", "stages"), [(SPARSE, 2), (EncoderWeights.constant(CHIP, 0), 1)])
def test_without_a_number_there_are_as_many_stages_as_fit(tmp_path: Path, weights: EncoderWeights, stages: int) -> None:
    """Two, but one for logic that has not two adders in a row."""
    done = constant(tmp_path, tmp_path / "out", weights=weights)
    assert done.exit_code == 0, done.output
    found = ConstantSynthesis.load(tmp_path / "out" / "constant.json")
    assert found.stages == stages and found.implementations[0].latency_cycles == stages + 1


def test_too_many_stages_are_one_line(tmp_path: Path) -> None:
    done = constant(tmp_path, tmp_path / "out", "--stages", "99")
    assert done.exit_code == 2 and "--stages 99, expected 1 to " in done.output and done.output.count("\n") == 1


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    done = constant(tmp_path, tmp_path / "other")
    assert done.exit_code == 2 and "a folder with other files" in done.output
