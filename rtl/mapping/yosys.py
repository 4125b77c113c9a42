"""Yosys, run as a library in a process of its own: RTLIL in; Verilog, netlists, counts and proofs out."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from subprocess import PIPE

from amaranth.back import rtlil

from models.errors import ToolFailed, ToolMissing
from rtl.design.block import Block
from rtl.mapping.processes import process

_NOT_INSTALLED = 127
_RUNNER = f"""
import sys
try:
    from pyosys import libyosys as ys
except ImportError:
    sys.exit({_NOT_INSTALLED})
design = ys.Design()
for line in sys.stdin:
    ys.run_pass(line.rstrip("\\n"), design)
"""


class YosysError(ToolFailed):
    """A script failed in Yosys; the message is that of Yosys."""


def quoted(path: Path) -> str:
    """A file name as one word of a script, even with blanks in it."""
    return f'"{path}"'


def export(top: Block, folder: Path) -> list[Path]:
    """Write one RTLIL file for each block of `top`, parts first; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for block in top.definitions():
        path = folder / f"{block.module_name}.il"
        path.write_text(rtlil.convert(block, name=block.module_name, emit_src=False), encoding="utf-8")
        files.append(path)
    return files


def command() -> list[str]:
    """Start of a Yosys that takes a script on stdin."""
    return [sys.executable, "-c", _RUNNER]


def run(commands: Iterable[str], timeout_seconds: float = 600) -> str:
    """Run commands in a fresh Yosys; returns its log.

    Raises ToolMissing without the package pyosys, YosysError if a command fails, and TimeoutError. Yosys gets a process
    of its own because a failing command ends it, and so that it can be timed out.
    """
    script = "\n".join(commands)
    with process(command(), stdin=PIPE, stdout=PIPE, stderr=PIPE) as started:
        try:
            log, complaints = started.communicate(script, timeout_seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"Yosys took more than {timeout_seconds:g} s for: {script.splitlines()[-1]}") from None
    if started.returncode == _NOT_INSTALLED:
        raise ToolMissing("Yosys not found; install the package pyosys (pip install pyosys)")
    if started.returncode:
        lines = [line for line in (log + complaints).splitlines() if "ERROR" in line]
        raise YosysError(lines[-1] if lines else f"exit status {started.returncode}: {complaints[-500:]}")
    return log


def version() -> str:
    """Name and version, for reports; raises ToolMissing."""
    try:
        return f"Yosys (pyosys {metadata.version('pyosys')})"
    except metadata.PackageNotFoundError:
        raise ToolMissing("Yosys not found; install the package pyosys (pip install pyosys)") from None


def write_verilog(top: Block, target: Path) -> None:
    """Write one Verilog file with `top` and all its blocks.

    Examples:
        >>> from pathlib import Path
        >>> from models import FixedPoint
        >>> from rtl import write_verilog
        >>> from rtl.design.normaliser import ChannelShifter
        >>> write_verilog(ChannelShifter(FixedPoint.parse("U1.7")), Path("shifter.v"))
        >>> Path("shifter.v").read_text().count("endmodule")
        1
    """
    with tempfile.TemporaryDirectory() as folder:
        files = export(top, Path(folder))
        out = Path(folder) / "all.v"
        run([*(f"read_rtlil {quoted(file)}" for file in files), f"hierarchy -check -top {top.module_name}",
             "proc -norom", f"write_verilog -norename -noattr {quoted(out)}"])
        target.write_text(out.read_text(encoding="utf-8"), encoding="utf-8")
