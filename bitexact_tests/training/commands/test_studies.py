"""The commands hybrid and search."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models.calq_io import write_calq
from training.__main__ import app
from training.production.toy import generate

pytest.importorskip("tensorflow")



def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    write_calq(tmp_path / "calq.csv", generate(200, seed=4))
    options = ["--config", str(REPOSITORY / "configs/econ_t_3elink.yaml"), "--data", str(tmp_path / "calq.csv"),
               "--epochs", "1", "--set", "training.augment.pool=100", "--set", "training.decoder.width=16"]
    for name, more in (("hybrid", []), ("search", ["--trials", "1"])):
        result = CliRunner().invoke(app, [name, *options, *more, "--output", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        rows = json.loads((tmp_path / name / f"{name}.json").read_text())
        assert all(f"{row['emd_mean']:.3f}" in result.stderr for row in rows) and rows
        broken = ["--data", str(REPOSITORY / "pyproject.toml")]
        result = CliRunner().invoke(app, [name, *options, *broken, *more, "--output", str(tmp_path / "broken")])
        assert result.exit_code == 2 and not (tmp_path / "broken").exists()
        assert len(result.stderr.splitlines()) == 1 and "pyproject.toml" in result.stderr, result.stderr
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = CliRunner().invoke(app, ["search", *options, "--output", str(tmp_path / "none")])
    assert result.exit_code == 2 and "optuna is not installed" in result.stderr and not (tmp_path / "none").exists()
