"""Compilation of a project's csim program with g++."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hls.backends import BACKENDS
from models.errors import ToolFailed, ToolMissing


def find_compiler() -> str:
    """Path of g++; raises ToolMissing."""
    found = shutil.which("g++")
    if found is None:
        raise ToolMissing("g++ not found: this compiles C++, install g++ (Debian: apt-get install g++)")
    return found


def build(
    project: Path, backend: str, compiler: str,
    sources: Sequence[str] = ("econ_t.cpp", "econ_t_csim.cpp", "firmware/encoder.cpp"),
) -> None:
    """Compile the project's `csim` in place; raises ToolFailed with the first complaint of the compiler."""
    includes = [f"-I{project / folder}" for folder in BACKENDS[backend].includes]
    files = [str(project / name) for name in sources]
    command = [compiler, "-std=c++17", "-O2", "-w", f"-I{project}", *includes, *files, "-o", str(project / "csim")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        complaints = [line for line in result.stderr.splitlines() if "error" in line or "undefined" in line]
        raise ToolFailed(f"g++ failed on the {backend} project: {(complaints or [result.stderr])[0]}")
