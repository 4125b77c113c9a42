"""The table of where time goes names the file of this project that called what runs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bitexact_tests.bench import where

HERE = "bitexact_tests/project/test_where"


def foreign(text: str) -> Callable[..., Any]:
    """A function whose code lies in no file of this project."""
    names: dict[str, Any] = {}
    exec(compile(text, "/nowhere/library.py", "exec"), names)
    return names["call"]  # type: ignore[no-any-return]


def test_place_is_the_innermost_file_of_the_project() -> None:
    library = foreign("import sys\ndef call(): return sys._getframe()\n")
    assert where.place(library()) == HERE, "a library counts for who calls it"
    assert where.place(None) == "start"


def test_files_that_are_ignored_count_for_their_callers() -> None:
    assert where.place(sys._getframe(), (Path(__file__),)) != HERE


def test_imports_count_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_once.py").write_text("import sys\nframe = sys._getframe()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert where.place(importlib.import_module("imported_once").frame) == where.IMPORTS


def test_row_of_a_command(tmp_path: Path) -> None:
    row = where.row("help", [("emulator", "encode", "--help")], tmp_path)
    name, seconds, cpu_seconds, places = [cell.strip() for cell in row.strip("|").split("|")]
    assert name == "help" and 0 < float(cpu_seconds) <= 2 * float(seconds) + 1
    assert where.IMPORTS in places


def test_command_that_fails_has_no_row(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"exit 2: .*no\.npz"):
        where.row("missing", [("emulator", "encode", "--weights", str(tmp_path / "no.npz"), "--input", "no.csv",
                               "--output", str(tmp_path / "out.csv"))], tmp_path)


@pytest.mark.parametrize("words", [words for commands in where.COMMANDS.values() for words in commands
                                   if words[1] == "train"], ids=lambda words: words[-1])
def test_every_training_of_the_table_begins(words: tuple[str, ...], tmp_path: Path) -> None:
    given = [word.replace("{out}", str(tmp_path)) for word in words]
    # It checks the configuration and the options before it reads charges: these are not there.
    result = subprocess.run([sys.executable, "-m", *given, "--data", str(tmp_path / "none.csv")], cwd=where.REPOSITORY,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 2 and ".csv: No such file" in result.stderr, result.stderr
