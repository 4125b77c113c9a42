"""Provenance of results: the commit of the clone that ran, the command as it was typed, versions."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from models.provenance import command_line, commit, provenance


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with one commit."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=b"]
    (tmp_path / "file").write_text("1")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    return tmp_path


def test_commit_says_whether_files_were_changed(clone: Path) -> None:
    head = subprocess.run(["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert commit(clone) == head.stdout[:12]
    (clone / "new").touch()
    assert commit(clone) == head.stdout[:12], "a file that git does not track, such as a run"
    (clone / "file").write_text("2")
    assert commit(clone) == head.stdout[:12] + "+"


def test_a_clone_further_up_is_not_meant(clone: Path) -> None:
    """That in whose virtual environment the package is installed."""
    (clone / "site-packages").mkdir()
    assert commit(clone / "site-packages") is None


@pytest.mark.parametrize(("arguments", "command"), [
    (["/a/bin/econ-t", "report", "--run", "my run"], "econ-t report --run 'my run'"),
    (["/a/training/__main__.py", "report"], "python -m training report"),
    (["script.py"], "script.py"),
])
def test_command_is_what_was_typed(arguments: list[str], command: str) -> None:
    assert command_line(arguments) == command


def test_date_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert provenance().date == "1970-01-02 00:00 UTC"


def test_tools_are_those_that_are_installed() -> None:
    tools = provenance().tools
    assert tools["numpy"] == version("numpy") and tools["Python"] == sys.version.split()[0]
    assert all(tools.values())
