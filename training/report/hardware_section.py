"""Hardware section of a report: one table of all implementations, and area vs. EMD over bit widths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from models.hardware import Implementation
from training.figures.pareto import area_against_emd
from training.physics.evaluation import shown
from training.report.hardware import CONSTANTS
from training.report.parts import Cell, Plot, Section, Table, plain_table
from training.results.pareto import ParetoScan
from training.results.report import Commands, Hardware
from training.results.size import DecoderSize

_TEXT = ("Each row names the tool that measured or estimated it; a row without values was not run and says how to run "
         "it. Gates are counted after mapping, before placement. Latency runs from the charges to the words on the "
         "links for the RTL and the C++, and to the encoder's outputs for the published chip and for constant weights. "
         "The area of the chip includes triplicated registers, clock tree and wires, which a gate count does not. The "
         "vendor tools have not run on this project yet, so their time is not known.")

_Columns = tuple[tuple[str, Callable[[Implementation], int | float | str | None]], ...]
_SIZES: _Columns = (
    ("LUT", lambda row: row.lut), ("FF", lambda row: row.ff), ("DSP", lambda row: row.dsp),
    ("BRAM 18k", lambda row: row.bram), ("NAND2", lambda row: row.nand2), ("area", lambda row: row.area),
    ("power", lambda row: row.power))
_TIMES: _Columns = (
    ("latency, BX", lambda row: row.latency_bx), ("latency, ns", lambda row: row.latency_ns),
    ("latency, clocks", lambda row: row.latency_cycles), ("II, clocks", lambda row: row.interval_cycles),
    ("clock, ns", lambda row: row.clock_ns), ("fmax, MHz", lambda row: row.fmax_mhz))
_WORDS = frozenset({"area", "power"})


def answer(hardware: Hardware) -> list[str]:
    """How big and how fast, a sentence per part with the tool that says so; empty if nothing was measured."""
    block = [row for row in hardware.implementations if row.name.startswith(("RTL, parallel", "RTL, folded"))]
    constants = [row for row in hardware.implementations if row.name.startswith(CONSTANTS)]
    lines = {"The encoder block, with reloadable weights": _taken(block),
             "Its two layers alone, with these weights as constants": _taken(constants)}
    for one in hardware.decoders:
        lines[f"Decoder {one.name}"] = "; ".join(filter(None, (
            f"{one.macs:,} multiply-accumulates, {one.parameters:,} parameters, {one.arithmetic}",
            _taken(one.implementations))))
    return [f"{what}: {text}." for what, text in lines.items() if text]


def _taken(rows: Sequence[Implementation]) -> str:
    """Gates and look-up tables, of each the first that was counted, and the latency of the first; else nothing."""
    sizes: dict[str, list[str]] = {}
    for unit, count in (("NAND2", "nand2"), ("LUT", "lut")):
        row = next((row for row in rows if getattr(row, count) is not None), None)
        if row:
            sizes.setdefault(_tool(row), []).append(f"{getattr(row, count):,} {unit}")
    time = next((f"; {row.latency_bx:g} BX = {row.latency_ns:g} ns" for row in rows if row.latency_ns is not None), "")
    return " or ".join(f"{' or '.join(counts)} ({tool})" for tool, counts in sizes.items()) + time if sizes else ""


def _tool(row: Implementation) -> str:
    """The tool, its version, and whether it only estimates."""
    return re.sub(r" \((.*)\)", r", \1", re.split(r" on da4ml|, before|;", row.tool)[0])


def hardware_section(hardware: Hardware, by: Commands) -> Section:
    """Lay out the result of `training.report.hardware` as a section of the page."""
    rows = hardware.implementations
    measured = [row for row in rows if any(value(row) is not None for _, value in _TIMES)]
    tools = [Cell(row.tool) for row in rows]
    counted = [[one.quantity, one.value, one.source] for one in hardware.counted]
    return Section("Resources and latency", _TEXT, [
        _table("Resources", rows, _SIZES, tools), _table("Latency", measured, _TIMES),
        plain_table(["quantity", "value", "source"], counted),
    ], points=answer(hardware), children=[_decoders(hardware.decoders, by.size), _pareto(hardware.pareto, by.pareto)])


def _table(caption: str, rows: Sequence[Implementation], columns: _Columns, by: Sequence[Cell] = ()) -> Table:
    """One row per implementation, with the cells of `by` behind its name."""
    titles = ["what", *(["by"] if by else []), *(title for title, _ in columns)]
    cells = [[Cell(row.name), *by[i : i + 1], *(_cell(value(row)) for _, value in columns)]
             for i, row in enumerate(rows)]
    numbers = frozenset(titles.index(title) for title, _ in columns if title not in _WORDS)
    return Table(titles, cells, numbers, caption, stacks=True)


def _cell(value: int | float | str | None) -> Cell:
    if value is None:
        return Cell("-")
    return Cell(value) if isinstance(value, str) else Cell(f"{value:,}" if isinstance(value, int) else f"{value:,.4g}",
                                                           value)


def _decoders(decoders: Sequence[DecoderSize], command: str) -> Section:
    if not decoders:
        return Section("Decoders", f"Not run (seconds): {command}")
    rows = [[Cell(one.name), Cell(f"{one.macs:,}", one.macs), Cell(f"{one.parameters:,}", one.parameters),
             Cell(one.arithmetic)] for one in decoders]
    made = [row for one in decoders for row in one.implementations]
    text = ("Off the detector. One in floating point runs in software, so that no logic is estimated; compact ones, of "
            "econ-t distill, in an FPGA, with their weights as constants.")
    tables = [Table(["decoder", "multiply-accumulates", "parameters", "arithmetic"], rows, frozenset({1, 2}),
                    stacks=True)]
    if made:
        tables += [_table("Decoders as logic", made, _SIZES, [Cell(row.tool) for row in made]),
                   _table("Latency of decoders", [row for row in made if not row.absent], _TIMES)]
    return Section("Decoders", text, tables)


def _pareto(scan: ParetoScan | None, command: str) -> Section:
    title = "Area vs. EMD over bit widths"
    if scan is None:
        return Section(title, f"Not run (hours): {command}")
    text = (f"Each point is an encoder with different widths, trained for {scan.epochs} epochs on the same modules "
            f"and mapped to gates by {scan.tool}; lower left is better. The line joins the points that no other "
            "beats in both. Trainings are short: compare the points with each other, not with the full run.")
    rows = [[one.name, one.weight_bits, one.input_bits, f"{one.nand2:,}", shown(one.emd_mean), one.n_modules]
            for one in scan.points]
    return Section(title, text,
                   [plain_table(["encoder", "weight bits", "input bits", "NAND2", "mean EMD", "modules"], rows,
                                frozenset({1, 2, 3, 4, 5}))],
                   [Plot("area_against_emd", area_against_emd(scan), title, wide=True)])
