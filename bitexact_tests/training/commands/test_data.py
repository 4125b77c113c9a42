"""The command that generates modules: files that agree, options that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from models.calq_io import read_calq
from training.commands.data import app
from training.production.modules import COLUMNS


def generate(cache: Path, output: Path | str, *options: str) -> Result:
    """Modules of three events with little pile-up."""
    return CliRunner().invoke(app, [
        "generate", "--source", "pythia", "--events", "3", "--layers", "7,9", "--pile-up", "5", "--pool-size", "60",
        "--seed", "3", "--cache", str(cache), "--output", str(output), *options])


@pytest.mark.parametrize(("name", "options"), [("parts", ["--events-per-part", "2"]), ("one.csv.gz", [])])
def test_other_files_hold_the_same_modules(pythia_cache: Path, tmp_path: Path, name: str, options: list[str]) -> None:
    for result in (generate(pythia_cache, tmp_path / "one.parquet"), generate(pythia_cache, tmp_path / name, *options)):
        assert result.exit_code == 0, result.output
    one, other = read_calq(tmp_path / "one.parquet"), read_calq(tmp_path / name)
    assert_array_equal(one.calq, other.calq)
    assert one.extra[list(COLUMNS)].equals(other.extra[list(COLUMNS)])


@pytest.mark.parametrize(("options", "message"), [
    (["--layers", "2"], "--layers 2: '2', expected trigger layers"),
    (["--output", "-"], "writes files"),
    (["--process", "electron"], "did you mean 'electrons'"),
])
def test_wrong_options_are_refused(pythia_cache: Path, tmp_path: Path, options: list[str], message: str) -> None:
    result = generate(pythia_cache, tmp_path / "x.csv", *options)
    assert result.exit_code == 2 and message in result.output, result.output
    assert not (tmp_path / "x.csv").exists()
