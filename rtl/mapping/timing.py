"""The longest path of a whole design in gate levels, from the mapped netlists of its blocks, each read once.

A level is a cell: a gate, a look-up table or a piece of a carry chain. Wires count nothing, so levels compare designs
but do not give picoseconds. Paths run from register to register, from ports to registers, and from registers to ports,
through any number of blocks. No path starts in a block whose registers settle long before an event (`Block.static`).
"""

from __future__ import annotations

import heapq
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FLIP_FLOP = re.compile(r"FD[CPRS]E|TRELLIS_FF|\$_S?DFF\w*|DFF\w*")

PortBit = tuple[str, int]
Levels = dict[PortBit, int]


@dataclass
class BlockTiming:
    """Levels of a block and all blocks in it, seen from its ports."""

    to_register: Levels = field(default_factory=dict)
    from_register: Levels = field(default_factory=dict)
    through: dict[PortBit, Levels] = field(default_factory=dict)
    """For each output the inputs it depends on within one clock."""
    inside: int = 0
    """From register to register."""

    @property
    def longest(self) -> int:
        """Levels of the longest path that starts or ends in a register."""
        return max([self.inside, *self.to_register.values(), *self.from_register.values()])


def block_timing(netlist: Path, name: str, children: Mapping[str, BlockTiming], static: bool = False) -> BlockTiming:
    """Timing of block `name` from its netlist (Yosys JSON) and the timing of the blocks placed in it."""
    module = json.loads(netlist.read_text(encoding="utf-8"))["modules"][name]
    graph = _Graph.of(module, children)
    ports = {direction: list(_port_bits(module, direction)) for direction in ("input", "output")}
    arrival = graph.arrival()
    required = graph.required()
    timing = BlockTiming()
    timing.inside = max([graph.inside, *(arrival[bit] + n for bit, n in graph.ends.items() if bit in arrival)])
    timing.to_register = {port: required[bit] for port, bit in ports["input"] if bit in required}
    if not static:
        timing.from_register = {port: arrival[bit] for port, bit in ports["output"] if bit in arrival}
    inputs = defaultdict(list)
    for port, bit in ports["input"]:
        inputs[bit].append(port)
    for port, bit in ports["output"]:
        found = {source: n for reached, n in graph.back_from(bit).items() for source in inputs.get(reached, ())}
        if found:
            timing.through[port] = found
    return timing


def _port_bits(module: Mapping[str, Any], direction: str) -> Iterator[tuple[PortBit, int]]:
    for port, content in module["ports"].items():
        if content["direction"] == direction:
            yield from (((port, k), bit) for k, bit in enumerate(content["bits"]) if isinstance(bit, int))


@dataclass
class _Graph:
    """Net bits and the levels between them."""

    before: dict[int, list[tuple[int, int]]]
    starts: dict[int, int]
    ends: dict[int, int]
    inside: int
    order: list[int]
    place: dict[int, int]
    """Position of each bit in `order`."""

    @classmethod
    def of(cls, module: Mapping[str, Any], children: Mapping[str, BlockTiming]) -> _Graph:
        graph = cls(defaultdict(list), {}, {}, 0, [], {})
        for cell in module["cells"].values():
            nets = {(port, k): bit for port, bits in cell["connections"].items() for k, bit in enumerate(bits)
                    if isinstance(bit, int)}
            if cell["type"] in children:
                graph._place(children[cell["type"]], nets)
                continue
            outputs = [bit for (port, _), bit in nets.items() if cell["port_directions"][port] == "output"]
            inputs = {bit for (port, _), bit in nets.items() if cell["port_directions"][port] != "output"}
            if _FLIP_FLOP.fullmatch(cell["type"]):
                graph.starts.update(dict.fromkeys(outputs, 0))
                graph.ends.update({bit: graph.ends.get(bit, 0) for bit in inputs})
            else:
                for bit in outputs:
                    graph.before[bit] += [(source, 1) for source in inputs]
        graph.order = graph._sorted()
        graph.place = {bit: k for k, bit in enumerate(graph.order)}
        return graph

    def _place(self, block: BlockTiming, nets: Mapping[PortBit, int]) -> None:
        self.inside = max(self.inside, block.inside)
        self.starts.update({nets[port]: n for port, n in block.from_register.items() if port in nets})
        for port, n in block.to_register.items():
            if port in nets:
                self.ends[nets[port]] = max(self.ends.get(nets[port], 0), n)
        for port, inputs in block.through.items():
            if port in nets:
                self.before[nets[port]] += [(nets[source], n) for source, n in inputs.items() if source in nets]

    def _sorted(self) -> list[int]:
        """All bits, sources before what depends on them; raises ValueError for a loop."""
        waiting = {bit: len(sources) for bit, sources in self.before.items()}
        after = defaultdict(list)
        for bit, sources in self.before.items():
            for source, _ in sources:
                after[source].append(bit)
        bits = waiting.keys() | after.keys() | self.starts.keys() | self.ends.keys()
        order = [bit for bit in bits if not waiting.get(bit)]
        for bit in order:
            for following in after[bit]:
                waiting[following] -= 1
                if not waiting[following]:
                    order.append(following)
        if len(order) != len(bits):
            raise ValueError(f"{len(bits) - len(order)} nets are in a combinational loop")
        return order

    def arrival(self) -> dict[int, int]:
        """Levels from a register, for all bits that depend on one."""
        found = dict(self.starts)
        for bit in self.order:
            levels = [found[source] + n for source, n in self.before.get(bit, ()) if source in found]
            if levels:
                found[bit] = max([found.get(bit, 0), *levels])
        return found

    def required(self) -> dict[int, int]:
        """Levels to a register, for all bits that one depends on."""
        found = dict(self.ends)
        for bit in reversed(self.order):
            if bit in found:
                for source, n in self.before.get(bit, ()):
                    found[source] = max(found.get(source, 0), found[bit] + n)
        return found

    def back_from(self, bit: int) -> dict[int, int]:
        """Levels to `bit` from all bits it depends on."""
        found, heap = {bit: 0}, [(-self.place.get(bit, 0), bit)]
        while heap:
            _, here = heapq.heappop(heap)
            for source, n in self.before.get(here, ()):
                if source not in found:
                    heapq.heappush(heap, (-self.place[source], source))
                found[source] = max(found.get(source, 0), found[here] + n)
        return found
