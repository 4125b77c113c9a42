"""The arrows between the packages, held by import-linter, and the text of the project."""

from __future__ import annotations

import re
import subprocess
import sys

from bitexact_tests.conftest import REPOSITORY


def run(*arguments: str) -> None:
    """Run a checker with this Python in the repository; its output is the failure message."""
    result = subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_import_contracts() -> None:
    run("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


def test_types() -> None:
    run("-m", "mypy")


def test_style() -> None:
    run("-m", "ruff", "check", "--no-cache", ".")


def test_tensorflow_stays_where_it_belongs() -> None:
    importing = re.compile(r"^\s*(import|from) (tensorflow|tf_keras|qkeras|hls4ml)\b", re.MULTILINE)
    for package in ("models", "emulator", "hls"):
        for path in (REPOSITORY / package).rglob("*.py"):
            if path.name.startswith("qkeras_") or (package, path.name) == ("hls", "conversion.py"):
                continue
            assert not importing.search(path.read_text()), f"{package}/{path.name} imports TensorFlow"
