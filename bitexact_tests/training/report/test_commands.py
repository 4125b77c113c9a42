"""Commands that a report names for what is missing: each can be pasted, and makes the part that it stands for."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from models import shipped
from models.calq_io import write_calq
from models.command_line import LazyGroup, econ_t
from models.config import Config
from training.fit.run import Run
from training.production.toy import generate
from training.report.commands import commands
from training.report.page import gather

pytest.importorskip("tensorflow")


@pytest.fixture
def found(random_runs: list[Path], tmp_path: Path) -> Run:
    """A run whose path has a blank, of which nothing was measured, with modules."""
    folder = shutil.copytree(random_runs[0], tmp_path / "my runs" / "mine")
    (folder / "history.json").write_text('{"loss": [1.0], "val_loss": [1.0]}')
    run = Run(folder)
    write_calq(run.test_file, generate(60, 4), run.config.data.order)
    return run


def test_each_is_a_command_with_options_that_it_knows(found: Run) -> None:
    for run in (found, Run("econ_t_5elink")):
        for part, text in commands(run):
            assert isinstance(text, str)
            first, *words = shlex.split(text)
            assert first == "econ-t", part
            command, name = get_command(econ_t()), first
            while isinstance(command, LazyGroup):
                name, *words = words
                command = command.load(name)
            assert command.make_context(name, words).params, part


@pytest.mark.parametrize("kind", ["run", "shipped set"])
def test_what_they_make_is_the_part_of_the_report(
    found: Run, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(found.test_file, "CALQ.csv")
    name = found.folder if kind == "run" else Path("econ_t_2elink")
    before = gather(Run(name))
    for part in ("metrics", "physics", "size"):
        done = CliRunner().invoke(econ_t(), shlex.split(getattr(before.commands, part))[1:])
        assert done.exit_code == 0, done.output
    after = gather(Run(name))
    assert before.metrics is before.physics is None and after.metrics and after.physics
    assert not before.hardware.decoders and after.hardware.decoders


def test_the_configuration_of_a_shipped_set_is_one_of_the_project() -> None:
    for name in shipped.names():
        run = Run(name)
        assert f"--config {run.config.name} " in commands(run).gates
        assert Config.load(run.config.name).encoder.digest() == run.config.encoder.digest()


def test_the_trigger_of_a_set_is_that_of_its_own_weights() -> None:
    """The system ae runs econ_t_{links}elink, and no other set."""
    for name in shipped.names():
        expected = "ae" if name.startswith("econ_t_") else "SYSTEM.yaml"
        assert f"--system {expected} --json" in commands(Run(name)).trigger


def test_nothing_is_written_into_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in commands(Run("econ_t_5elink")).model_dump().values():
        assert str(shipped.FOLDER) not in text
        files = [word for option, word in zip(shlex.split(text), shlex.split(text)[1:], strict=False)
                 if option in ("--json", "--output", "--build")]
        assert files and all(Path(word).is_relative_to("runs/shipped/econ_t_5elink") for word in files), text
