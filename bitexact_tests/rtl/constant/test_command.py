"""The command that writes layers with constant weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.rtl import CHIP
from models.weights import EncoderWeights

pytest.importorskip("da4ml")

from rtl.__main__ import app
from rtl.results import ConstantSynthesis


def test_command_line(tmp_path: Path) -> None:
    EncoderWeights.random(CHIP, 3, density=0.08).save(tmp_path / "weights.npz")
    arguments = ["constant", "--config", str(REPOSITORY / "configs" / "econ_t_5elink.yaml"), "--weights",
                 str(tmp_path / "weights.npz"), "--output", str(tmp_path / "out"), "--no-synthesise"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "da4ml" in done.output and "LUT" in done.output
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names >= {"src/constant_layers.v", "src/constant_layers.xdc", "build_vivado_prj.tcl", "constant.json",
                     "weights.npz"}
    found = ConstantSynthesis.load(tmp_path / "out" / "constant.json")
    assert found.digest == CHIP.digest() and found.implementations[0].lut and not found.implementations[0].absent
    done = CliRunner().invoke(app, [*arguments, "--stages", "99"])
    assert done.exit_code == 2 and "--stages 99, expected 1 to " in done.output and done.output.count("\n") == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    done = CliRunner().invoke(app, [*arguments[:-2], str(tmp_path / "other")])
    assert done.exit_code == 2 and "a folder with other files" in done.output
