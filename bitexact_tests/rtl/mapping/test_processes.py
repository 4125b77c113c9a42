"""Tools in processes of their own: none outlives the command that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from rtl.mapping.processes import process

_TOOL = "import os, pathlib, time; pathlib.Path({pid!r}).write_text(str(os.getpid())); time.sleep(60)"
_YOSYS = """
import sys
from rtl.mapping import yosys
yosys.command = lambda: [sys.executable, "-c", sys.argv[1]]
yosys.run(["help"])
"""
_NEXTPNR = """
import sys
from pathlib import Path
from rtl.placing import nextpnr
nextpnr.command = lambda: [sys.executable, "-c", sys.argv[1]]
nextpnr.route(Path("mapped.json"), Path("seed"), 1, 80, 60)
"""


@pytest.mark.parametrize("command", [_YOSYS, _NEXTPNR], ids=["Yosys", "nextpnr"])
def test_a_command_that_is_told_to_end_takes_its_tool_along(tmp_path: Path, command: str) -> None:
    (tmp_path / "mapped.json").write_text("{}")
    pid = tmp_path / "pid"
    started = subprocess.Popen([sys.executable, "-c", command, _TOOL.format(pid=str(pid))], cwd=tmp_path,
                               env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    end = time.monotonic() + 30
    while not (pid.exists() and pid.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    tool = int(pid.read_text())
    started.send_signal(signal.SIGTERM)
    assert started.wait(10) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(tool, 0)
    assert not (tmp_path / "seed" / "netlist.json").exists()


def test_a_handler_of_the_caller_stays() -> None:
    found = []
    before = signal.signal(signal.SIGTERM, lambda *_: found.append("called"))
    try:
        with process([sys.executable, "-c", "import time; time.sleep(60)"]) as started:
            os.kill(os.getpid(), signal.SIGTERM)
        assert found == ["called"] and started.returncode == -signal.SIGKILL
    finally:
        signal.signal(signal.SIGTERM, before)
    with process([sys.executable, "-c", ""]) as started:
        assert started.wait() == 0
    assert signal.getsignal(signal.SIGTERM) is before
