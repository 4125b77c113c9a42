"""What a command takes: wall time, CPU time and memory, as the kernel counts them for a process and its children."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]  # conftest would import more than a small process has


@dataclass(frozen=True)
class Taken:
    """Seconds of the clock and of all processors, and the largest memory that one process had, in MiB."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def run(command: Sequence[str | Path]) -> Taken:
    """Run `python COMMAND` to its end; raises RuntimeError with the end of what it said if it fails.

    The memory is that of the largest process, not of all together. This process must be small: Linux counts what its
    parent had for a child too.
    """
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = start_process(command, said.fileno())
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(map(str, command))}: exit {process.returncode}: {text}")
    return Taken(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def start_process(command: Sequence[str | Path], output: int) -> subprocess.Popen[bytes]:
    """Start `python COMMAND` as leader of a group of processes of its own, which can be killed together."""
    return subprocess.Popen([sys.executable, *map(str, command)], cwd=REPOSITORY, stdout=output, stderr=output,
                            start_new_session=True)
