"""Readers of the reports of Vitis HLS, Vivado and Catapult: from files to rows of the hardware table.

A missing line is an InputError that names file and line: the report of another version must not leave holes in a table.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

from models.errors import InputError, parsing
from models.hardware import Implementation

# Site types of `report_utilization`: UltraScale and later, then 7 series. A star marks a count before optimisation.
_SITES = {"lut": ("CLB LUTs", "Slice LUTs"), "ff": ("CLB Registers", "Slice Registers"), "dsp": ("DSPs",),
          "bram": ("Block RAM Tile",)}
_COUNT = r"-?\d{1,15}"
_NUMBER = r"\d{1,15}(?:\.\d{1,15})?(?![\d.])"


CSYNTH, VIVADO, CATAPULT = "**/syn/report/econ_t_csynth.xml", "vivado_utilization.rpt", "**/rtl.rpt"
"""Patterns of the reports in a project folder."""


def find_reports(project: Path) -> list[Path]:
    """All reports that vendor tools left in a project."""
    patterns = ("**/syn/report/*_csynth.xml", VIVADO, CATAPULT)
    return sorted(path for pattern in patterns for path in project.glob(pattern))


def read_csynth(path: Path, name: str = "C++") -> Implementation:
    """Read `econ_t_csynth.xml` of Vitis HLS: estimates of its C synthesis."""
    with parsing(path, "XML"):
        root = ElementTree.parse(path).getroot()

    def number(place: str) -> float:
        text = root.findtext(place)
        if text is None:
            raise InputError(f"{path}: element {place} is missing, expected a Vitis HLS synthesis report")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{path}: element {place} is '{text}', expected a number")
        return value

    def clocks(place: str) -> int | None:
        """The number of clocks, None if it depends on the data."""
        return None if root.findtext(place) == "undef" else int(number(place))

    latency = "PerformanceEstimates/SummaryOfOverallLatency"
    period = "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"
    resources = "AreaEstimates/Resources"
    return Implementation(
        name=name,
        tool=f"Vitis HLS {root.findtext('ReportVersion/Version', 'of unknown version')}, estimate of C synthesis",
        lut=int(number(f"{resources}/LUT")), ff=int(number(f"{resources}/FF")), dsp=int(number(f"{resources}/DSP")),
        bram=int(number(f"{resources}/BRAM_18K")),
        latency_cycles=clocks(f"{latency}/Worst-caseLatency"), interval_cycles=clocks(f"{latency}/Interval-max"),
        clock_ns=number("UserAssignments/TargetClockPeriod"),
        fmax_mhz=_fmax_mhz(path, number(period), f"element {period}"))


def read_vivado(utilization: Path, timing: Path, name: str = "C++") -> Implementation:
    """Read `report_utilization` and `report_timing_summary` of Vivado, both of the same design state."""
    text, clocks = _read(utilization), _read(timing)
    counts = {field: _site(utilization, text, names) for field, names in _SITES.items()}
    slack = float(_first(timing, clocks, rf"WNS\(ns\).*\n[ -]*\n\s*(-?{_NUMBER})", "the worst negative slack (WNS)"))
    period = float(_first(timing, clocks, rf"\{{[\d. ]+\}}\s+({_NUMBER})\s+{_NUMBER}\s*$",
                          "a period in the Clock Summary"))
    version = _first(utilization, text, r"Tool Version\s*:\s*Vivado v\.?(\S+)", "Tool Version : Vivado")
    state = re.search(r"Design State\s*:\s*([\w ]+?)\s*$", text, re.MULTILINE)
    return Implementation(
        name=name, tool=f"Vivado {version}, {state[1].lower() if state else 'state unknown'}",
        lut=int(counts["lut"]), ff=int(counts["ff"]), dsp=int(counts["dsp"]),
        bram=2 * counts["bram"],  # one tile is two blocks of 18 kbit
        clock_ns=period, fmax_mhz=_fmax_mhz(timing, period - slack, "the period less the slack"))


def read_catapult(path: Path, name: str = "C++") -> Implementation:
    """Read `rtl.rpt` of Catapult, whose area score is in the unit of the technology library."""
    text = _read(path)
    total = _first(path, text, rf"^\s*Design Total:\s+({_COUNT}\s+{_COUNT}\s+{_COUNT})\b",
                   "Design Total: in Processes/Blocks")
    _, latency, throughput = map(int, total.split())
    score = float(_first(path, text, rf"^\s*Total Area Score:(?:\s+{_NUMBER}){{2}}\s+({_NUMBER})", "Total Area Score:"))
    period = float(_first(path, text, rf"^\s*\S+\s+(?:rising|falling)\s+({_NUMBER})", "a clock in Clock Information"))
    version = _first(path, text, r"^--\s*Version:\s*(\S+)", "-- Version:")
    delays = [float(delay) for delay in re.findall(rf"^\s*Max Delay:\s*({_NUMBER})", text, re.MULTILINE)]
    return Implementation(
        name=name, tool=f"Catapult {version}, RTL extracted", area=f"{score:,.0f} (area score)",
        latency_cycles=latency if latency >= 0 else None,  # -1: it depends on the data
        interval_cycles=throughput if throughput >= 0 else None,
        clock_ns=period, fmax_mhz=_fmax_mhz(path, max(delays), "the largest Max Delay") if delays else None)


def _fmax_mhz(path: Path, period_ns: float, what: str) -> float:
    if period_ns <= 0:
        raise InputError(f"{path}: {what} is {period_ns:g} ns, expected more than 0")
    return 1000 / period_ns


def _read(path: Path) -> str:
    with parsing(path, "text"):
        return path.read_text(encoding="utf-8")


def _first(path: Path, text: str, pattern: str, what: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise InputError(f"{path}: no line with {what}; expected a report as the tool writes it")
    return found[1]


def _site(path: Path, text: str, names: tuple[str, ...]) -> float:
    """Column Used of a site type; the same words also occur in text, so only rows of a table count."""
    pattern = rf"^\|\s*(?:{'|'.join(names)})\*?\s*\|\s*({_NUMBER})\s*\|"
    return float(_first(path, text, pattern, f"| {names[0]} | used |"))
