"""Hardware table of a run: resources and latency of each implementation of its configuration and the published chip.

It reads what other commands wrote into the run and measures nothing itself. Where nothing was measured, the estimates
of `econ-t size` stand. A missing row names the command that makes it, and how long that takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hls.report import CHIP, counted, implementations
from models.chip import BX_NS
from models.config import Config
from models.hardware import Implementation
from models.weights import EncoderWeights
from rtl.results import ChipSynthesis, ConstantSynthesis, Placement
from training.report.commands import commands
from training.results.pareto import ParetoScan
from training.results.report import Commands, Hardware
from training.results.size import Size

if TYPE_CHECKING:
    from training.fit.run import Run

TECHNOLOGY = {"gates": "NAND2 gates", "osu018": "180 nm cells", "xc7": "Xilinx 7 series",
              "xcup": "Xilinx UltraScale+", "ecp5": "Lattice ECP5"}
ASKED_FOR = {"gates": "about 1 min on one core", "xc7": "about 8 min on one core"}
"""Technologies that are shown even if they were not mapped, and how long that takes; others appear once mapped."""
CONSTANTS = "RTL, these weights as constants (the two layers alone)"
LEVEL_NS = {"xc7": 18.5 / 61}
"""Delay of a level through cells, without nets: Yosys' `sta` finds 18.5 ns for the flat parallel design, whose longest
path has 61 levels. `sta` prints two lines per cell of a path, the cell and its net."""


WIRES = 3.1
"""How many times longer than by LEVEL_NS the clock of a routed block in ECP5 is; from docs/hardware.md."""


def hardware(run: Run, found: Size | None = None) -> Hardware:
    """Gather the whole table; raises InputError for a file that cannot be read or belongs to another spec.

    `found`: estimates; default: those that the run holds of these weights.
    """
    config, by = run.config, commands(run)
    kept = found or Size.find(run.size_file)
    kept = kept if kept and kept.is_of(run.weights.digest()) else None
    rows = (CHIP, *_rtl_rows(run, kept, by), *_placed_rows(run, by.placed), *_constant_rows(run, kept, by.constant),
            *implementations(run.hls_projects(), config))
    return Hardware(counted=tuple(counted(config)), implementations=rows, decoders=kept.decoders if kept else (),
                    pareto=_pareto(config, run.pareto_file, by.pareto))


def _pareto(config: Config, path: Path, command: str) -> ParetoScan | None:
    scan = ParetoScan.find(path)
    if scan:
        config.encoder.check_same(scan.own.digest, f"{path}: made", f"make it again: {command}")
    return scan


def _rtl_rows(run: Run, found: Size | None, by: Commands) -> Iterable[Implementation]:
    for technology, title in TECHNOLOGY.items():
        rows = [rtl_row(run.config, path, title) for path in run.rtl_files(technology)]
        rows = rows or [row for row in found.block if row.name.endswith(title)] if found else rows
        yield from rows
        if not rows and technology in ASKED_FOR:
            command = by.gates if technology == "gates" else by.look_up_tables
            yield Implementation(name=f"RTL in {title}", tool=f"not run ({ASKED_FOR[technology]}): {command}")


def rtl_row(config: Config, path: Path, title: str) -> Implementation:
    """Row for a file of `econ-t rtl synth`; raises InputError if it belongs to another spec."""
    found = ChipSynthesis.load(path)
    config.encoder.check_same(found.digest, f"{path}: made", "make it again with econ-t rtl synth")
    return synthesis_row(found, title)


def synthesis_row(found: ChipSynthesis, title: str) -> Implementation:
    """Row for a count in a technology of this title."""
    total, level_ns = found.total, LEVEL_NS.get(found.technology)
    kind = f"{'pipelined' if found.pipelined else 'folded'}, N = {found.fold}" if found.fold > 1 else "parallel"
    registers = ", registers in three copies" if found.redundant else ""
    fmax = f"; fmax by {level_ns:.3f} ns a level, cells alone; {WIRES:.1f} times slower with wires" if level_ns else ""
    unused = None if total.lut is None else 0  # the FPGA flow uses neither DSP nor block RAM
    fmax_mhz = 1000 / (level_ns * found.levels) if level_ns else None
    if found.static_timing:
        fmax_mhz = 1000 / found.static_timing.shortest_clock_ns
        fmax = f"; fmax by {found.static_timing.tool}, cells alone"
    energy = found.activity and found.activity.energy
    return Implementation(
        name=f"RTL, {kind}{registers}, in {title}",
        tool=f"{found.tool}, before placement; {found.levels} levels on the longest path{fmax}",
        lut=total.lut, ff=total.ff, nand2=total.nand2, dsp=unused, bram=unused,
        area=None if total.area_um2 is None else f"{total.area_um2 / 1e6:.3g} mm2 of cells",
        power=f"{energy.total_pj / 1000:.3g} nJ per event in cells" if energy else None,
        latency_cycles=found.latency_clocks, interval_cycles=found.interval_clocks,
        clock_ns=BX_NS / found.interval_clocks,  # required for one event per bunch crossing
        fmax_mhz=fmax_mhz)


def _placed_rows(run: Run, command: str) -> Iterable[Implementation]:
    """Rows of `econ-t rtl place`, which have a clock with wires."""
    for path in run.placed_files():
        found = Placement.load(path)
        run.config.encoder.check_same(found.digest, f"{path}: made", f"make it again: {command}")
        slowest, fastest = found.spread_mhz
        yield Implementation(
            name=f"{found.name}, placed in {found.device}",
            tool=f"{found.tool}; fmax after routing, median of {len(found.seeds)} seeds, {slowest:.0f} to "
                 f"{fastest:.0f} MHz",
            lut=found.utilisation.lut, ff=found.utilisation.ff, dsp=found.utilisation.dsp,
            bram=found.utilisation.bram, fmax_mhz=found.fmax_mhz,
            latency_cycles=found.latency_clocks, interval_cycles=found.interval_clocks,
            clock_ns=1000 / found.fmax_mhz)
    if not run.placed_files():
        yield Implementation(name="RTL, placed in Lattice ECP5", tool=f"not run (an hour): {command}")


def _constant_rows(run: Run, estimated: Size | None, command: str) -> Iterable[Implementation]:
    """Rows of `econ-t rtl constant`, whose folder holds the weights that it was made from, or estimates."""
    found, tool = ConstantSynthesis.find(run.constant_file), f"not run (minutes): {command}"
    if found is not None:
        spec = run.config.encoder
        spec.check_same(found.digest, f"{run.constant_file}: made", f"make it again: {command}")
        if EncoderWeights.load(run.constant_weights_file, spec).digest() == run.weights.digest():
            return found.implementations
        tool = f"made from other weights than those of this run: {command}"
    rows = estimated.constants if estimated else ()
    return (*rows, Implementation(name=f"{CONSTANTS} in Xilinx 7 series", tool=tool))
