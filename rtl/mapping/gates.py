"""Gate-level simulation of a mapped design in NumPy: every net of many independent streams of events at once.

Yosys' netlists of the blocks are joined into one list of gates, sorted by level; a net is a row of bits, one for each
stream. Delays are zero, so a gate changes at most once a clock: the simulation shows what the counted netlist does, and
a lower bound on how often its nets change.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import InputError, parsing
from rtl.mapping.yosys import YosysError

Bits = npt.NDArray[np.uint64]
"""(nets, words): 64 streams in a word."""

_GATES: dict[str, tuple[str, Callable[..., Bits]]] = {
    "$_BUF_": ("A", lambda a: a),
    "$_NOT_": ("A", lambda a: ~a),
    "$_AND_": ("AB", lambda a, b: a & b),
    "$_NAND_": ("AB", lambda a, b: ~(a & b)),
    "$_OR_": ("AB", lambda a, b: a | b),
    "$_NOR_": ("AB", lambda a, b: ~(a | b)),
    "$_XOR_": ("AB", lambda a, b: a ^ b),
    "$_XNOR_": ("AB", lambda a, b: ~(a ^ b)),
    "$_MUX_": ("ABS", lambda a, b, s: (a & ~s) | (b & s)),
    "$_NMUX_": ("ABS", lambda a, b, s: ~((a & ~s) | (b & s))),
    "$_AOI3_": ("ABC", lambda a, b, c: ~((a & b) | c)),
    "$_OAI3_": ("ABC", lambda a, b, c: ~((a | b) & c)),
    "$_AOI4_": ("ABCD", lambda a, b, c, d: ~((a & b) | (c & d))),
    "$_OAI4_": ("ABCD", lambda a, b, c, d: ~((a | b) & (c | d))),
}
"""Yosys' gates: their inputs, and the output as a function of them."""
# Cells of osu018 that Yosys chooses or `fan_out` adds; a multiplexer inverts.
_GATES |= {
    "BUFX4": _GATES["$_BUF_"],
    "INVX1": _GATES["$_NOT_"],
    "AND2X1": _GATES["$_AND_"],
    "NAND2X1": _GATES["$_NAND_"],
    "NAND3X1": ("ABC", lambda a, b, c: ~(a & b & c)),
    "OR2X1": _GATES["$_OR_"],
    "NOR2X1": _GATES["$_NOR_"],
    "NOR3X1": ("ABC", lambda a, b, c: ~(a | b | c)),
    "XOR2X1": _GATES["$_XOR_"],
    "XNOR2X1": _GATES["$_XNOR_"],
    "MUX2X1": ("ABS", lambda a, b, s: ~((a & s) | (b & ~s))),
    "AOI21X1": _GATES["$_AOI3_"],
    "OAI21X1": _GATES["$_OAI3_"],
    "AOI22X1": _GATES["$_AOI4_"],
    "OAI22X1": _GATES["$_OAI4_"],
}
FLIP_FLOPS = ("$_DFF_P_", "DFFPOSX1")
_MOST_LEVELS = 10_000
_CONSTANTS = {"0": 0, "1": 1, "x": 0}  # nets 0 and 1; an undriven net is 0


@dataclass
class _Template:
    """A block with net numbers of its own; 0 and 1 are the constants."""

    n_nets: int
    ports: dict[str, tuple[bool, list[int]]]
    """By name: whether it is an input, and its nets."""
    gates: dict[str, npt.NDArray[np.int64]]
    """By type, (gates, inputs + 1): inputs, then the output."""
    children: list[tuple[str, str, dict[str, list[int]]]]
    """Instance, block, and nets of its ports."""

    @classmethod
    def read(cls, path: Path) -> _Template:
        with parsing(path, f"a netlist of {path.stem}"):
            module = json.loads(path.read_text(encoding="utf-8"))["modules"][path.stem]
            return cls._of(module, path)

    @classmethod
    def _of(cls, module: dict[str, Any], path: Path) -> _Template:
        numbers: dict[Any, int] = dict(_CONSTANTS)

        def nets(bits: list[Any]) -> list[int]:
            # The two constants have three names, so number 2 stays free.
            return [numbers.setdefault(bit, len(numbers)) for bit in bits]

        ports = {name: (port["direction"] == "input", nets(port["bits"])) for name, port in module["ports"].items()}
        gates, children = defaultdict(list), []
        for name, cell in module["cells"].items():
            connections = {port: nets(bits) for port, bits in cell["connections"].items()}
            kind = cell["type"]
            if kind in FLIP_FLOPS:
                gates[kind].append([connections["D"][0], connections["Q"][0]])
            elif kind in _GATES:
                gates[kind].append([connections[port][0] for port in (*_GATES[kind][0], "Y")])
            elif kind.startswith("$"):
                raise InputError(f"{path}: {name} is a {kind}, expected one of {', '.join([*FLIP_FLOPS, *_GATES])}")
            else:
                children.append((name, kind, connections))
        return cls(len(numbers), ports, {kind: np.array(rows) for kind, rows in gates.items()}, children)


@dataclass
class Netlist:
    """All gates of a design over one list of nets.

    `ports` holds nets by port; `left_out` the same, by instance, for the blocks that are not part of the netlist.
    """

    ports: dict[str, npt.NDArray[np.int64]]
    left_out: dict[str, dict[str, npt.NDArray[np.int64]]] = field(default_factory=dict)
    n_nets: int = 2
    blocks: list[str] = field(default_factory=list)
    _parts: dict[str, list[npt.NDArray[np.int64]]] = field(default_factory=lambda: defaultdict(list))
    _buffers: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path, top: str, leave_out: Collection[str] = ()) -> Netlist:
        """Read BLOCK.netlist of `top` and its blocks except `leave_out`; raises InputError for an unknown cell."""
        templates: dict[str, _Template] = {}

        def template(name: str) -> _Template:
            if name not in templates:
                templates[name] = _Template.read(folder / f"{name}.netlist")
            return templates[name]

        netlist = cls({})
        first = template(top)
        for name, (_, bits) in first.ports.items():
            netlist.ports[name] = np.arange(netlist.n_nets, netlist.n_nets + len(bits))
            netlist.n_nets += len(bits)
        netlist._place(top, template, netlist.ports, leave_out)
        return netlist

    def _place(self, name: str, template: Callable[[str], _Template], ports: Mapping[str, Any],
               leave_out: Collection[str]) -> None:
        block = template(name)
        nets = np.full(block.n_nets, -1)
        nets[:2] = 0, 1
        for port, (is_input, bits) in sorted(block.ports.items(), key=lambda item: not item[1][0]):
            for bit, outside in zip(bits, ports.get(port, ()), strict=port in ports):
                if nets[bit] < 0:
                    nets[bit] = outside
                elif not is_input:  # two outputs on one net, or an output that is an input or a constant
                    self._buffers.append((int(nets[bit]), int(outside)))
        free = nets < 0
        nets[free] = self.n_nets + np.arange(free.sum())
        self.n_nets += int(free.sum())
        if name not in self.blocks:
            self.blocks.append(name)
        for kind, rows in block.gates.items():
            owner = np.full((len(rows), 1), self.blocks.index(name))
            self._parts[kind].append(np.concatenate([nets[rows], owner], axis=1))
        for instance, kind, connections in block.children:
            bound = {port: nets[bits] for port, bits in connections.items()}
            if kind in leave_out:
                self.left_out[instance] = bound
            else:
                self._place(kind, template, bound, leave_out)

    @cached_property
    def gates(self) -> dict[str, npt.NDArray[np.int64]]:
        """Rows of inputs, output and block number, by type; buffers that stand for wires belong to block -1."""
        gates = {kind: np.concatenate(parts) for kind, parts in self._parts.items()}
        wires = np.array([(source, to, -1) for source, to in self._buffers], dtype=np.int64).reshape(-1, 3)
        gates["$_BUF_"] = np.concatenate([gates.get("$_BUF_", wires[:0]), wires])
        return gates

    @cached_property
    def flip_flops(self) -> npt.NDArray[np.int64]:
        """Rows of input, output and block number."""
        none = np.zeros((0, 3), dtype=np.int64)
        return np.concatenate([self.gates.get(kind, none) for kind in FLIP_FLOPS])

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """For each net the block whose gate or flip-flop drives it; -1 if none does."""
        owner = np.full(self.n_nets, -1)
        for rows in self.gates.values():
            owner[rows[:, -2]] = rows[:, -1]
        return owner

    @cached_property
    def schedule(self) -> list[tuple[str, npt.NDArray[np.int64]]]:
        """The gates as (type, rows), level by level; raises YosysError for a loop."""
        level = np.zeros(self.n_nets, dtype=np.int64)
        logic = {kind: rows for kind, rows in self.gates.items() if kind not in FLIP_FLOPS}
        for _ in range(self.n_nets):
            before = level.copy()
            for rows in logic.values():
                level[rows[:, -2]] = level[rows[:, :-2]].max(axis=1) + 1
            if np.array_equal(before, level):
                break
            if level.max() > _MOST_LEVELS:
                raise YosysError(f"a combinational loop, or a path of more than {_MOST_LEVELS:,} gates")
        steps = []
        for n in range(1, int(level.max()) + 1):
            steps += [(kind, found) for kind, rows in logic.items() if len(found := rows[level[rows[:, -2]] == n])]
        return steps


def pins(kind: str) -> str:
    """Input pins of a gate or the data pin of a flip-flop, in the order of their nets in `Netlist.gates`."""
    return "D" if kind in FLIP_FLOPS else _GATES[kind][0]


class GateSimulation:
    """The nets of a netlist in `64 * n_words` streams, 0 at first; `toggles` counts changes by net since `clear`."""

    def __init__(self, netlist: Netlist, n_words: int) -> None:
        self.netlist = netlist
        self.values: Bits = np.zeros((netlist.n_nets, n_words), dtype=np.uint64)
        self.values[1] = ~np.uint64(0)
        self.clear()

    def clear(self) -> None:
        """Restart the count of changes."""
        self.toggles = np.zeros(self.netlist.n_nets, dtype=np.int64)

    def settle(self, inputs: Mapping[str, npt.NDArray[np.bool_]]) -> None:
        """Apply bits (streams or 1, width) to ports and let all gates follow."""
        before = self.values.copy()
        for port, bits in inputs.items():
            self.drive(self.netlist.ports[port], bits)
        for kind, rows in self.netlist.schedule:
            self.values[rows[:, -2]] = _GATES[kind][1](*(self.values[rows[:, k]] for k in range(rows.shape[1] - 2)))
        self.toggles += np.bitwise_count(before ^ self.values).sum(axis=1, dtype=np.int64)

    def edge(self) -> None:
        """Apply a rising clock edge: flip-flop outputs change and are counted, all others follow in `settle`."""
        rows = self.netlist.flip_flops
        after = self.values[rows[:, 0]]
        self.toggles[rows[:, 1]] += np.bitwise_count(after ^ self.values[rows[:, 1]]).sum(axis=1, dtype=np.int64)
        self.values[rows[:, 1]] = after

    def drive(self, nets: npt.NDArray[np.int64], bits: npt.NDArray[np.bool_]) -> None:
        """Set nets (width) that no gate drives to bits (streams or 1, width)."""
        every = np.broadcast_to(bits, (64 * self.values.shape[1], len(nets)))
        self.values[nets] = np.packbits(every.T, axis=1, bitorder="little").view(np.uint64)

    def read(self, port: str) -> npt.NDArray[np.bool_]:
        """Bits (streams, width) of a port."""
        packed = np.ascontiguousarray(self.values[self.netlist.ports[port]]).view(np.uint8)
        return np.unpackbits(packed, axis=1, bitorder="little").T.astype(bool)
