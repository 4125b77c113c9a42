"""A project of constant layers: da4ml's Verilog with scripts for vendor tools, its simulation and its size."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from da4ml.codegen import VerilogModel
from da4ml.types import minimal_kif

from models.arrays import IntArray
from models.compact_decoder import CompactDecoder
from models.hardware import Implementation
from models.weights import EncoderWeights
from rtl.constant.layers import ConstantLayers
from rtl.mapping import yosys
from rtl.mapping.synthesis import TECHNOLOGIES
from rtl.simulation.simulate import Port, Simulation, pack

TOP = "constant_layers"
"""The Verilog module; its ports are `clk`, `model_inp` (input codes, the first one lowest) and `model_out`."""


@dataclass(frozen=True)
class ConstantProject:
    """A written project: Verilog in `src`, constraints, and scripts for Vivado and Quartus."""

    input_bits: tuple[int, ...]
    """Bits of each input in `model_inp`."""
    pipeline: Any
    """da4ml's Pipeline."""
    folder: Path

    @classmethod
    def write(
        cls, weights: EncoderWeights | CompactDecoder, folder: Path, stages: int | None, part: str, clock_ns: float
    ) -> ConstantProject:
        """Trace the layers, split them into stages and write all files; raises InputError for too many stages."""
        layers = ConstantLayers.trace(weights)
        pipeline = layers.pipelined(stages)
        VerilogModel(pipeline, TOP, folder, print_latency=False, part_name=part, clock_period=clock_ns).write()
        shutil.rmtree(folder / "sim")  # only for da4ml's own simulation, as is the wrapper
        (folder / "src" / f"{TOP}_wrapper.v").unlink()
        return cls(layers.input_bits, pipeline, folder)

    @property
    def stages(self) -> int:
        """Parts between registers."""
        return len(self.pipeline.solutions)

    @property
    def latency(self) -> int:
        """Clocks from input codes to output codes at the ports; both ends have registers."""
        return self.stages + 1

    @property
    def n_luts(self) -> int:
        """da4ml's estimate: one look-up table per adder bit."""
        n_luts: float = self.pipeline.cost
        return round(n_luts)

    @property
    def n_registers(self) -> int:
        """Flip-flops between the stages and at both ends."""
        return int(self.pipeline.reg_bits)

    @property
    def sources(self) -> list[Path]:
        """The Verilog files."""
        return sorted((self.folder / "src").resolve().glob("**/*.v"))

    @property
    def output_formats(self) -> list[tuple[int, int]]:
        """(wires, zeros below them) of each output in `model_out`, lowest first: bits that are always 0 lack wires."""
        formats = [minimal_kif(interval) for interval in self.pipeline.out_qint]
        return [(sum(form), -form.fractional) for form in formats]

    def simulation(self, folder: Path) -> Simulation:
        """Compile the Verilog with Verilator; raises ToolMissing without it."""
        ports = [Port("model_inp", sum(self.input_bits), True),
                 Port("model_out", sum(wires for wires, _ in self.output_formats), False)]
        return Simulation.compile(self.sources, TOP, ports, folder, clocked=True)

    def run(self, simulation: Simulation, input_code: IntArray, folder: Path) -> npt.NDArray[np.int64]:
        """Run an event in every clock: input codes (n, inputs) -> output codes (n, outputs)."""
        clocks = simulation.idle(len(input_code) + self.latency)
        clocks["model_inp"][: len(input_code)] = self.packed(input_code, clocks["model_inp"].shape[1])
        return self.unpacked(simulation.run(clocks, folder)["model_out"][self.latency :])

    def packed(self, input_code: IntArray, n_bytes: int) -> npt.NDArray[np.uint8]:
        """Input codes (n, inputs) as the bytes of `model_inp`, (n, n_bytes)."""
        columns = [input_code[:, [k]] >> np.arange(n_bits) & 1 for k, n_bits in enumerate(self.input_bits)]
        return pack(np.concatenate(columns, axis=1), 1, n_bytes)

    def unpacked(self, field: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Output codes (n, outputs) from the bytes of `model_out`."""
        bits = np.unpackbits(field, axis=1, bitorder="little").astype(np.int64)
        outputs, start = [], 0
        for wires, zeros in self.output_formats:
            outputs.append(bits[:, start : start + wires] @ (1 << np.arange(wires)) << zeros)
            start += wires
        return np.stack(outputs, axis=1)


@dataclass(frozen=True)
class Mapped:
    """Size and delay of the mapped logic of all stages."""

    tool: str
    n_luts: int
    delay_ns: float
    """Of the slowest stage, through its cells alone, without wires."""


def mapped(project: ConstantProject, timeout_seconds: float = 3600) -> Mapped:
    """Map each stage of the Verilog to Xilinx 7 series with Yosys."""
    stages = [_mapped_stage(project, f"{TOP}_stage{i}", timeout_seconds) for i in range(project.stages)]
    return Mapped(yosys.version(), sum(n for n, _ in stages), max(delay for _, delay in stages))


def _mapped_stage(project: ConstantProject, name: str, timeout_seconds: float) -> tuple[int, float]:
    """Look-up tables and nanoseconds of one stage, which has no registers."""
    target = TECHNOLOGIES["xc7"]
    with tempfile.TemporaryDirectory() as folder:
        stat = Path(folder) / "stat.json"
        log = yosys.run([
            # Deferred: some of da4ml's modules are complete only with their parameters.
            *(f"read_verilog -defer {yosys.quoted(path)}" for path in project.sources),
            f"hierarchy -check -top {name}", "proc", "flatten", "opt", "wreduce", "opt_clean -purge", *target.passes,
            f"tee -q -o {yosys.quoted(stat)} stat -json",
            # Yosys' models of the cells hold their delays.
            "read_verilog -lib -specify +/xilinx/cells_sim.v", "sta"], timeout_seconds)
        cells = json.loads(stat.read_text(encoding="utf-8"))["modules"][f"\\{name}"]["num_cells_by_type"]
    delay = re.search(r"Latest arrival time in '\S+' is (\d+)", log)
    n_luts = target.counted(Counter({cell: int(n) for cell, n in cells.items()})).lut
    assert n_luts is not None
    return n_luts, int(delay[1]) / 1000 if delay else 0.0


def rows(
    project: ConstantProject, clock_ns: float, found: Mapped | None,
    name: str = "RTL, these weights as constants (the two layers alone)",
) -> tuple[Implementation, ...]:
    """Rows of the hardware table: da4ml's estimate, and what mapping found if it was run."""
    estimate = Implementation(
        name=name,
        tool=f"da4ml {metadata.version('da4ml')}, estimate", lut=project.n_luts, ff=project.n_registers, dsp=0, bram=0,
        latency_cycles=project.latency, interval_cycles=1, clock_ns=clock_ns)
    if found is None:
        return (estimate,)
    return estimate, estimate.model_copy(update={
        "name": f"{estimate.name} in Xilinx 7 series",
        "tool": f"{found.tool} on da4ml's Verilog, before placement; fmax by cells alone, without wires",
        "lut": found.n_luts, "fmax_mhz": 1000 / found.delay_ns if found.delay_ns else None})
