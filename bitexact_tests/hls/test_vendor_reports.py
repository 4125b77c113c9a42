"""Reports of Vitis HLS, Vivado and Catapult as their documentation shows them: figures, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bitexact_tests.samples.vendor_reports import CATAPULT, CONFIG, CSYNTH, TIMING, UTILIZATION, project, write
from hls.report import implementations
from hls.vendor_reports import read_catapult, read_csynth, read_vivado
from models.errors import InputError
from models.hardware import Implementation


def test_vitis_and_vivado(tmp_path: Path) -> None:
    write(tmp_path / "vitis_project" / "solution1" / "syn" / "report" / "econ_t_csynth.xml", CSYNTH)
    write(tmp_path / "vivado_utilization.rpt", UTILIZATION)
    write(tmp_path / "vivado_timing.rpt", TIMING)
    estimate, measured, catapult = implementations({"vitis": project(tmp_path, "vitis")}, CONFIG)
    assert estimate == Implementation(name="C++ (vitis)", tool="Vitis HLS 2023.2, estimate of C synthesis", lut=56,
                                      ff=34, dsp=12, bram=0, latency_cycles=2, interval_cycles=1, clock_ns=25.0,
                                      fmax_mhz=1000 / 18.2)
    assert (estimate.latency_ns, estimate.latency_bx, estimate.absent) == (50, 2, False)
    assert measured == Implementation(name="C++ (vitis), its Verilog", tool="Vivado 2023.2, synthesized", lut=98765,
                                      ff=1234, dsp=7, bram=5, latency_cycles=2, interval_cycles=1, clock_ns=25.0,
                                      fmax_mhz=50.0)
    assert catapult.absent and "latency 2 clocks = 50 ns = 2 BX" in estimate.summary()


def test_vivado_names_of_the_7_series_and_a_clock_that_is_not_met(tmp_path: Path) -> None:
    seven = UTILIZATION.replace("CLB LUTs*", "Slice LUTs").replace("CLB R", "Slice R")
    found = read_vivado(write(tmp_path / "u", seven), write(tmp_path / "t", TIMING.replace("  5.000 ", " -3.571 ")))
    assert (found.lut, found.ff) == (98765, 1234)
    assert found.fmax_mhz == pytest.approx(1000 / 28.571)


def test_catapult(tmp_path: Path) -> None:
    write(tmp_path / "catapult_project" / "econ_t.v1" / "rtl.rpt", CATAPULT)
    vitis, found = implementations({"catapult": project(tmp_path, "catapult")}, CONFIG)
    assert vitis.absent
    assert found == Implementation(name="C++ (catapult)", tool="Catapult 2023.1/1033555, RTL extracted",
                                   area="586,221 (area score)", latency_cycles=3, interval_cycles=1, clock_ns=25.0,
                                   fmax_mhz=50.0)
    path = write(tmp_path / "rtl.rpt", CATAPULT.replace("12345       3          1 ", "12345      -1          1 "))
    assert read_catapult(path).latency_cycles is None


def _vivado(path: Path) -> Implementation:
    """The utilisation under test with a whole timing report, or the other way round."""
    whole = write(path.with_name("whole"), TIMING if "LUTs" in path.read_text() else UTILIZATION)
    return read_vivado(path, whole) if "LUTs" in path.read_text() else read_vivado(whole, path)


@pytest.mark.parametrize(("read", "text", "cut", "message"), [
    (read_csynth, CSYNTH, "<LUT>56</LUT>", "AreaEstimates/Resources/LUT is missing"),
    (read_csynth, CSYNTH, "</profile>", "not readable as XML"),
    (_vivado, UTILIZATION, "| DSPs      |    7 |", r"no line with \| DSPs \| used \|"),
    (_vivado, UTILIZATION, "Vivado v.2023.2", "no line with Tool Version : Vivado"),
    (_vivado, TIMING, "WNS(ns)", "the worst negative slack"),
    (_vivado, TIMING, "{0.000 12.500}", "a period in the Clock Summary"),
    (read_catapult, CATAPULT, "Design Total:", "no line with Design Total:"),
    (read_catapult, CATAPULT, "Total Area Score:", "no line with Total Area Score:"),
    (read_catapult, CATAPULT, "rising", "no line with a clock in Clock Information"),
])
def test_a_report_with_a_hole_names_it(
    tmp_path: Path, read: Callable[[Path], Implementation], text: str, cut: str, message: str
) -> None:
    assert text.count(cut) >= 1
    path = write(tmp_path / "report", text.replace(cut, ""))
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("read", "text", "old", "new", "message"), [
    (read_csynth, CSYNTH, ">18.2<", ">0.00<", "EstimatedClockPeriod is 0 ns, expected more than 0"),
    (read_csynth, CSYNTH, ">18.2<", ">nan<", "EstimatedClockPeriod is 'nan', expected a number"),
    (read_csynth, CSYNTH, "<FF>34<", "<FF>inf<", "FF is 'inf', expected a number"),
    (_vivado, TIMING, "  5.000 ", " 25.000 ", "the period less the slack is 0 ns, expected more than 0"),
    (read_catapult, CATAPULT, "Max Delay:  20.000", "Max Delay:  0.000", "the largest Max Delay is 0 ns"),
])
def test_a_report_without_a_delay_is_refused(
    tmp_path: Path, read: Callable[[Path], Implementation], text: str, old: str, new: str, message: str
) -> None:
    assert text.count(old) == 1
    path = write(tmp_path / "report", text.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("read", "text", "old", "new", "message"), [
    (_vivado, UTILIZATION, "| 98765 |     0 |          0 |   1728000 |  5.72 |\n|   LUT", "| 1.2.3 |\n|   LUT",
     "no line with | CLB LUTs | used |"),
    (_vivado, UTILIZATION, "|    7 |", f"| {'7' * 400} |", "no line with | DSPs | used |"),
    (_vivado, TIMING, "  5.000 ", "  5.0.00 ", "the worst negative slack"),
    (_vivado, TIMING, "     25.000 ", "     25.0.00 ", "a period in the Clock Summary"),
    (read_catapult, CATAPULT, "586221.4", "586.221.4", "no line with Total Area Score:"),
    (read_catapult, CATAPULT, "rising 25.000", "rising 25.0.00", "no line with a clock in Clock Information"),
    (read_catapult, CATAPULT, "Design Total:                   12345", f"Design Total: {'1' * 5000}",
     "no line with Design Total:"),
])
def test_what_is_no_number_is_refused(
    tmp_path: Path, read: Callable[[Path], Implementation], text: str, old: str, new: str, message: str
) -> None:
    assert text.count(old) == 1
    path = write(tmp_path / "report", text.replace(old, new))
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("encoding", ["foo", "utf-32"])
def test_encoding_that_no_tool_writes_is_refused(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "report", f'<?xml version="1.0" encoding="{encoding}"?>{CSYNTH}')
    with pytest.raises(InputError, match=f"^{path}: not readable as XML: "):
        read_csynth(path)


def test_clocks_that_depend_on_the_data_are_not_given(tmp_path: Path) -> None:
    text = CSYNTH.replace("<Worst-caseLatency>2<", "<Worst-caseLatency>undef<")
    found = read_csynth(write(tmp_path / "report", text))
    assert (found.latency_cycles, found.interval_cycles) == (None, 1)
