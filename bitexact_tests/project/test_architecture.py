"""The arrows between the packages, held by import-linter; types, style, and the order of the tests."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

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


TESTS = sorted((REPOSITORY / "bitexact_tests").rglob("*.py"))


def test_no_file_imports_from_a_test_file() -> None:
    """What several of them use is in `samples`."""
    importing = re.compile(r"^\s*(?:from|import) bitexact_tests\.(?:\w+\.)*test_\w+", re.MULTILINE)
    found = {str(path.relative_to(REPOSITORY)): importing.findall(path.read_text()) for path in TESTS}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_test_sets_a_private_constant() -> None:
    """What a test must choose is a parameter."""
    setting = re.compile(r"setattr\([^)]*\b_[A-Z][A-Z_]+\b|\w\._[A-Z][A-Z_]+ = ")
    found = {str(path.relative_to(REPOSITORY)): setting.findall(path.read_text()) for path in TESTS}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("package", ["models", "emulator", "hls", "rtl", "training"])
def test_folders_of_tests_are_those_of_the_package(package: str) -> None:
    folders = {path.parent.relative_to(REPOSITORY / "bitexact_tests") for path in TESTS}
    assert {str(folder) for folder in folders if folder.parts[:1] == (package,)
            and not (REPOSITORY / folder / "__init__.py").is_file()} == set()


def test_sources_compile_on_the_oldest_python() -> None:
    """Names and syntax that Python 3.10 does not have; `make compat` runs the quick tests on it."""
    newer = re.compile(r"\b(StrEnum|tomllib|ExceptionGroup|from typing import .*\b(Self|override|assert_never))\b")
    for package in ("models", "emulator", "hls", "rtl", "training"):
        for path in (REPOSITORY / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            ast.parse(text, feature_version=(3, 10))
            assert not newer.search(text), f"{path.relative_to(REPOSITORY)}: {newer.search(text)}"


@pytest.mark.parametrize("package", ["emulator", "hls", "rtl"])
def test_independent_evidence_shares_not_even_types(package: str) -> None:
    """Import-linter is told to pass over imports for type checkers alone."""
    others = "|".join({"emulator", "hls", "rtl"} - {package})
    importing = re.compile(rf"^\s*(import|from) ({others})\b", re.MULTILINE)
    found = [str(path) for path in (REPOSITORY / package).rglob("*.py") if importing.search(path.read_text())]
    assert not found
