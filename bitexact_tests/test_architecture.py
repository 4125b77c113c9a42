"""The arrows between the packages, held by import-linter, and the text of the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bitexact_tests.conftest import REPOSITORY


def test_import_contracts() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([linter], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_types() -> None:
    result = subprocess.run([sys.executable, "-m", "mypy"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_style() -> None:
    result = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=REPOSITORY, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stdout


def test_tensorflow_stays_where_it_belongs() -> None:
    allowed = {"hls/convert.py"}
    for package in ("models", "emulator", "hls"):
        for path in (REPOSITORY / package).glob("*.py"):
            name = f"{package}/{path.name}"
            imports = [line for line in path.read_text().splitlines()
                       if line.lstrip().startswith(("import ", "from ")) and ("tensorflow" in line or "tf_keras" in line)]
            assert not imports or name in allowed or path.name.startswith("qkeras_"), f"{name}: {imports}"
