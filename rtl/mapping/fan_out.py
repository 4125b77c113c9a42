"""Trees of buffers in a mapped netlist: no gate drives more than a few pins.

Yosys maps blocks one by one and does not bound what a gate drives, so that the shift of all channels would load one
gate with a thousand pins. Silicon has buffers there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtl.design.block import Block

FAN_OUT = 10
"""Pins that a standard cell drives at most."""
BUFFER = "BUFX4"

PinLoads = dict[tuple[str, int], int]
"""Pins that each bit of an input port drives, by port and bit."""


def buffered_design(top: Block, netlists: Path, folder: Path) -> dict[str, int]:
    """Write BLOCK.netlist of all blocks of `top` with buffers to `folder`; returns buffers by block."""
    loads: dict[str, PinLoads] = {}
    added: dict[str, int] = {}
    for block in top.definitions():
        file = f"{block.module_name}.netlist"
        loads[block.module_name], added[block.module_name] = buffered(
            netlists / file, folder / file, loads, FAN_OUT, BUFFER, frozenset({"clk"}))
    return added


def buffered(
    source: Path, target: Path, children: Mapping[str, PinLoads], limit: int, buffer: str, ideal: frozenset[str]
) -> tuple[PinLoads, int]:
    """Write the netlist `source` (Yosys JSON) with a tree of buffers at each net that drives more than `limit` pins.

    `children` gives the loads of blocks placed in it, `buffer` a cell with input A and output Y, `ideal` the input
    ports that stay (clocks). Returns the loads of this block's ports, and the number of buffers.
    """
    name = source.stem
    content = json.loads(source.read_text(encoding="utf-8"))
    module = content["modules"][name]
    tree = _Trees(module, children, limit, buffer)
    stay = {bit for port in ideal & module["ports"].keys() for bit in module["ports"][port]["bits"]}
    roots = {bit: tree.bound(bit) for bit in list(tree.sinks) if bit not in stay}
    target.write_text(json.dumps({"modules": {name: module}}), encoding="utf-8")
    loads = {(port, k): roots.get(bit, 1) for port, found in module["ports"].items() if found["direction"] == "input"
             for k, bit in enumerate(found["bits"])}
    return loads, tree.n_buffers


class _Trees:
    """Pins by the net that drives them, and the buffers that are added."""

    def __init__(self, module: dict[str, Any], children: Mapping[str, PinLoads], limit: int, buffer: str) -> None:
        self._cells, self._limit, self._buffer, self.n_buffers = module["cells"], limit, buffer, 0
        self.sinks: dict[int, list[tuple[int, list[Any], int]]] = defaultdict(list)
        """(pins, bits of a port, position in them) by net."""
        nets = [bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int)]
        self._next = max(nets, default=1) + 1
        for cell in self._cells.values():
            loads = children.get(cell["type"], {})
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "input":
                    for k, bit in enumerate(bits):
                        if isinstance(bit, int):
                            self.sinks[bit].append((loads.get((port, k), 1), bits, k))

    def bound(self, net: int) -> int:
        """Add buffers behind a net until it drives at most `limit` pins; returns how many these are."""
        sinks = self.sinks[net]
        while len(sinks) > 1 and sum(pins for pins, _, _ in sinks) > self._limit:
            above = []
            group: list[tuple[int, list[Any], int]] = []
            for sink in sorted(sinks, key=lambda sink: sink[0]):
                if group and sum(pins for pins, _, _ in group) + sink[0] > self._limit:
                    above.append(self._drive(net, group))
                    group = []
                group.append(sink)
            sinks = [*above, self._drive(net, group)]
        return sum(pins for pins, _, _ in sinks)

    def _drive(self, net: int, sinks: list[tuple[int, list[Any], int]]) -> tuple[int, list[Any], int]:
        """A buffer between net and pins; returns its input."""
        own, name = self._next, f"fan_out_{self.n_buffers}"
        self._next, self.n_buffers = own + 1, self.n_buffers + 1
        for _, bits, k in sinks:
            bits[k] = own
        given: list[Any] = [net]
        self._cells[name] = {"hide_name": 0, "type": self._buffer, "parameters": {}, "attributes": {},
                             "port_directions": {"A": "input", "Y": "output"},
                             "connections": {"A": given, "Y": [own]}}
        return 1, given, 0
