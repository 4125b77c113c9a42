"""Commands `trigger`: what they print, write and refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.command_line import econ_t
from training.results.trigger import TriggerStudy

ECON_T = econ_t()


def run(folder: Path, *arguments: str, systems: tuple[str, ...] = ("everything", "bc")) -> object:
    words = [word for name in systems for word in ("--system", name)]
    result = CliRunner().invoke(ECON_T, ["trigger", "run", *words, "--output", str(folder / "out"), "--cache",
                                         str(folder / "collisions"), *arguments])
    return result


def test_comparison_is_shown_and_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = run(tmp_path, "--pile-up", "0", "--events", "3", "--json", str(tmp_path / "trigger.json"))
    assert result.exit_code == 0, result.output
    shown = result.output + capfd.readouterr().err
    assert "3 events of electrons with 0 pile-up" in shown and "everything" in shown and "BC" in shown
    study = TriggerStudy.load(tmp_path / "trigger.json")
    assert [one.name for one in study.systems] == ["everything", "BC"]
    assert study.system("BC").on("electrons").links.bits > 50
    with pytest.raises(KeyError, match="BX: expected one of everything, BC"):
        study.system("BX")


@pytest.mark.parametrize(("systems", "arguments", "message"), [
    (("bc", "bc"), (), "error: --system: two systems have the name 'BC'; expected different ones"),
    (("bd",), (), "error: bd: no such file and no system of this name; did you mean 'bc'"),
    (("bc",), ("--sample", "electron"), "error: sample 'electron'; did you mean 'electrons'"),
])
def test_what_is_refused(
    systems: tuple[str, ...], arguments: tuple[str, ...], message: str, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    result = run(tmp_path, *arguments, systems=systems)
    shown = result.output + capfd.readouterr().err
    assert result.exit_code == 2 and message in shown
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_is_named_before_anything_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    system = tmp_path / "mine.yaml"
    system.write_text("name: mine\nrules:\n  - {algorithm: AE, weights: 'nowhere/{links}'}\n")
    result = run(tmp_path, systems=(str(system),))
    shown = " ".join((result.output + capfd.readouterr().err).split())
    assert result.exit_code == 2 and "mine.yaml: weights: nowhere/2: " in shown
    assert "is missing; expected the folder of a finished run" in shown and not (tmp_path / "out").exists()


def test_systems_are_listed() -> None:
    result = CliRunner().invoke(ECON_T, ["trigger", "systems"])
    assert result.exit_code == 0
    assert "bc: BC: algorithm BC" in result.output and "everything" in result.output
