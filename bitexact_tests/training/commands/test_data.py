"""The command that generates modules: files that agree, options that are refused."""

from __future__ import annotations

import json
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


def toy(output: Path | str, *options: str) -> Result:
    """Modules of the simple generator."""
    return CliRunner().invoke(app, ["generate", "--source", "toy", "--n-modules", "40", "--output", str(output),
                                    *options])


def test_distributions_for_machines_are_of_the_modules_in_the_file(tmp_path: Path) -> None:
    result = toy(tmp_path / "toy.csv", "--json", f"{tmp_path}/toy.json", "--csv", "-")
    assert result.exit_code == 0, result.output
    largest = next(row for row in json.loads((tmp_path / "toy.json").read_text()) if row["quantity"] == "largest cell")
    calq = read_calq(tmp_path / "toy.csv").calq
    assert largest["sample"] == "generated" and largest["mean"] == pytest.approx(calq.max(axis=1).mean(), rel=1e-5)
    header, *lines = result.stdout.splitlines()
    assert header == ",".join(largest) and lines[2] == ",".join(map(str, largest.values()))


@pytest.mark.parametrize(("options", "message"), [
    (["--output", "-", "--json", "-"], "--output - and --json -: both on stdout, expected a file for one of them"),
    (["--output", "-", "--csv", "-"], "--output - and --csv -: both on stdout, expected a file for one of them"),
    (["--output", "parts", "--source", "pythia", "--events", "2", "--csv", "-"],
     "--csv needs a file as --output, .csv"),
])
def test_distributions_without_a_place_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = toy("unused", *options)
    assert result.exit_code == 2 and message in result.stderr and not result.stdout
    assert [*tmp_path.iterdir()] == []
