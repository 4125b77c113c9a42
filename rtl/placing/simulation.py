"""Events through a routed netlist, from the pins of the harness and back to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from rtl.constant.project import TOP, ConstantProject
from rtl.design.block import Block
from rtl.placing.harness import PORT_BITS, ConstantHarness
from rtl.placing.nextpnr import ROUTED_FILE
from rtl.placing.routed import write_verilog
from rtl.simulation.simulate import Simulation, ports_of

_TOP = "top"  # what nextpnr calls every design


def routed_codes(
    project: ConstantProject, routed: Path, input_code: IntArray, folder: Path, timeout_seconds: float = 3600
) -> npt.NDArray[np.int64]:
    """Output codes (n, outputs) of a project of constant layers, by its routed netlist, compiled in `folder`."""
    input_bits, output_bits = sum(project.input_bits), sum(wires for wires, _ in project.output_formats)
    harness = ConstantHarness(TOP, input_bits, output_bits)
    simulation = _compiled(harness, routed, folder, timeout_seconds)
    ways_in, ways_out = (-(-bits // PORT_BITS) for bits in (input_bits, output_bits))
    load = ways_in + 1 + project.latency  # with registers at the pins
    out = load + 2
    clocks = simulation.idle((out + ways_out) * len(input_code)).reshape(len(input_code), -1)
    given = project.packed(input_code, ways_in * PORT_BITS // 8)
    clocks["inputs"][:, :ways_in] = given.reshape(len(given), ways_in, -1)
    clocks["shift"][:, :ways_in] = 1
    clocks["load"][:, load] = 1
    found = simulation.run(clocks.reshape(-1), folder, timeout_seconds)["outputs"]
    return project.unpacked(found.reshape(*clocks.shape, -1)[:, out:].reshape(len(input_code), -1))


def _compiled(harness: Block, routed: Path, folder: Path, timeout_seconds: float) -> Simulation:
    write_verilog(routed / ROUTED_FILE, folder / "routed.v")
    return Simulation.compile(["routed.v"], _TOP, ports_of(harness), folder, clocked=True,
                              timeout_seconds=timeout_seconds)
