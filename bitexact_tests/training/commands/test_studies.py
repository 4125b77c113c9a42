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



@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of a study of seconds."""
    folder = tmp_path_factory.mktemp("studies")
    write_calq(folder / "calq.csv", generate(200, seed=4))
    return ["--config", str(REPOSITORY / "configs/econ_t_3elink.yaml"), "--data", str(folder / "calq.csv"),
            "--epochs", "1", "--set", "training.augment.pool=100", "--set", "training.decoder.width=16"]


@pytest.mark.parametrize(("name", "more"), [("hybrid", []), ("search", ["--trials", "1"])])
def test_rows_are_written_and_shown(name: str, more: list[str], options: list[str], tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    result = CliRunner().invoke(app, [name, *options, *more, "--output", str(tmp_path / name)])
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / name / f"{name}.json").read_text())
    assert rows and all(f"{row['emd_mean']:.3f}" in result.stdout for row in rows)


@pytest.mark.parametrize("name", ["hybrid", "search"])
def test_data_that_are_none_are_one_line(name: str, options: list[str], tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    broken = ["--data", str(REPOSITORY / "pyproject.toml")]
    result = CliRunner().invoke(app, [name, *options, *broken, "--output", str(tmp_path / "broken")])
    assert result.exit_code == 2 and not (tmp_path / "broken").exists()
    assert len(result.stderr.splitlines()) == 1 and "pyproject.toml" in result.stderr, result.stderr


def test_search_without_optuna_is_one_line(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = CliRunner().invoke(app, ["search", *options, "--output", str(tmp_path / "none")])
    assert result.exit_code == 2 and "optuna is not installed" in result.stderr and not (tmp_path / "none").exists()
