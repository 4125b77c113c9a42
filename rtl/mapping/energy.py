"""Energy of a mapped design on events: how often each net changes, times what a change takes in the cell library.

A change charges or discharges the pins that a cell drives (half of C V^2) and takes energy inside the cell; each clock
takes both at the clock pins of flip-flops. Wires, the tree of the clock, glitches and leakage count nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtl.mapping.gates import FLIP_FLOPS, Netlist, pins
from rtl.mapping.liberty import Library
from rtl.results import Energy

_SLEW_NS = 0.2
_OUTPUT = {True: "Q", False: "Y"}
_FLIP_FLOP = "DFFPOSX1"


def energy(
    netlist: Netlist, changes: npt.NDArray[np.float64], library: Library, clocks: int, register_bits: int
) -> Energy:
    """Energy per event, from changes of each net per event, and clocks per event.

    `register_bits` are flip-flops of the registers that the bus writes, which are not in the netlist and do not change.
    """
    loads = np.zeros(netlist.n_nets)
    for kind, rows in netlist.gates.items():
        for k, pin in enumerate(pins(kind)):
            np.add.at(loads, rows[:, k], library.cells[kind].pins[pin] if kind in library.cells else 0.0)
    charging = 0.5 * library.volts**2
    by_block = np.zeros(len(netlist.blocks))
    for kind, rows in netlist.gates.items():
        if kind not in library.cells:  # wires
            continue
        cell, output = library.cells[kind], rows[:, -2]
        per_change = charging * loads[output] + cell.energy(_OUTPUT[kind in FLIP_FLOPS], loads[output], _SLEW_NS)
        taken = changes[output] * per_change
        if kind in FLIP_FLOPS:
            taken += changes[rows[:, 0]] * cell.energy("D", loads[output], _SLEW_NS)
        by_block += np.bincount(rows[:, -1], taken, minlength=len(by_block))
    flip_flop = library.cells[_FLIP_FLOP]
    one_clock = 2 * (charging * flip_flop.pins["CLK"] + float(flip_flop.energy("CLK", np.zeros(1), _SLEW_NS)[0]))
    return Energy(
        volts=library.volts,
        by_block_pj=dict(zip(netlist.blocks, by_block.tolist(), strict=True)),
        clock_pins_pj=one_clock * clocks * len(netlist.flip_flops),
        register_clock_pins_pj=one_clock * clocks * register_bits,
    )
