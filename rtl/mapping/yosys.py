"""Yosys as a library: RTLIL in, Verilog, netlists, counts and proofs out."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from amaranth.back import rtlil

from models.errors import ToolFailed, ToolMissing
from rtl.design.block import Block

_RUNNER = """
import sys
try:
    from pyosys import libyosys as ys
except ImportError:
    sys.exit(127)
design = ys.Design()
for line in sys.stdin:
    ys.run_pass(line.rstrip("\\n"), design)
"""


class YosysError(ToolFailed):
    """Yosys refused a script; the message is its own."""


def quoted(path: Path) -> str:
    """A file name as a word of a script: it may hold blanks."""
    return f'"{path}"'


def export(top: Block, folder: Path) -> list[Path]:
    """RTLIL files of `top` and all blocks in it, parts first."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for block in top.definitions():
        path = folder / f"{block.module_name}.il"
        path.write_text(rtlil.convert(block, name=block.module_name, emit_src=False), encoding="utf-8")
        files.append(path)
    return files


def run(commands: Iterable[str], timeout_seconds: float = 600) -> str:
    """Run commands in a fresh Yosys; returns its log.

    Raises ToolMissing without the package pyosys, YosysError when a command fails, and TimeoutError. It is a process of
    its own, because a failing Yosys ends its process, and so that a time bound holds.
    """
    script = "\n".join(commands)
    try:
        result = subprocess.run([sys.executable, "-c", _RUNNER], input=script, capture_output=True, text=True,
                                timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"Yosys took more than {timeout_seconds:g} s for: {script.splitlines()[-1]}") from None
    if result.returncode == 127:
        raise ToolMissing("Yosys is not there: install the package pyosys (pip install pyosys)")
    if result.returncode:
        lines = [line for line in (result.stdout + result.stderr).splitlines() if "ERROR" in line]
        raise YosysError(lines[-1] if lines else f"exit status {result.returncode}: {result.stderr[-500:]}")
    return result.stdout


def version() -> str:
    """Version of the package."""
    try:
        return f"Yosys (pyosys {metadata.version('pyosys')})"
    except metadata.PackageNotFoundError:
        raise ToolMissing("Yosys is not there: install the package pyosys (pip install pyosys)") from None


def write_verilog(top: Block, target: Path) -> None:
    """One Verilog file with `top` and all it is made of."""
    with tempfile.TemporaryDirectory() as folder:
        files = export(top, Path(folder))
        out = Path(folder) / "all.v"
        run([*(f"read_rtlil {quoted(file)}" for file in files), f"hierarchy -check -top {top.module_name}",
             "proc -norom", f"write_verilog -norename -noattr {quoted(out)}"])
        target.write_text(out.read_text(encoding="utf-8"), encoding="utf-8")
