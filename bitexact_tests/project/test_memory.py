"""Commands that read files piece by piece take as much memory for a long file as for a short one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bitexact_tests.conftest import REPOSITORY

ALLOWED = 150
"""MiB; who holds the 900,000 modules by which the files differ takes 165 MiB for the charges alone, once in a table and
once in an array."""


def peaks(name: str, *sizes: int) -> list[float]:
    """Largest memory of a command in MiB, measured by a process that is small itself."""
    command = [sys.executable, "-m", "bitexact_tests.bench.memory", name, "--modules", *map(str, sizes)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in result.stdout.splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [(f"`{name}`", f"{n:,}") for n in sizes]
    return [float(row[2].replace(",", "")) for row in rows]


def test_the_measurement_sees_a_command() -> None:
    (peak,) = peaks("encode", 2000)
    assert 60 < peak < 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encode", "encode --per-module", "data split", "csim --backend catapult", "chip"])
def test_memory_does_not_grow_with_the_file(name: str, request: pytest.FixtureRequest) -> None:
    if "csim" in name:
        request.getfixturevalue("gxx")
    short, long = peaks(name, 300_000, 1_200_000)
    assert long < short + ALLOWED
