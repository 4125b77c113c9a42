"""The RTL block: defined once and placed as often as needed, so that tools read it once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value, ValueCastable
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.results import Design

B = TypeVar("B", bound="Block")


def wire(m: Module, value: Value, name: str) -> Value:
    """`value` as a named signal: computed once, however often it is used."""
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal


class Block(wiring.Component):  # type: ignore[misc]  # Amaranth has no types
    """A component that is written out once.

    Amaranth writes a component out again wherever it is used. A `Block` is written once: `place` refers to it by name,
    and an export of a design writes all its `definitions()`.
    """

    _MustUse__silence = True  # Amaranth would warn about every block that is never elaborated

    module_name: str
    """The same for blocks with the same content, different for all others."""

    clocked: bool = False
    """Whether it has registers and so takes the clock and reset of the place where it is used."""

    large: bool = False
    """Whether simulation compiles it separately: it is placed many times and holds much logic."""

    static: bool = False
    """Whether its registers are set before the first event and stay: no path of an event starts in them."""

    def __init__(self, module_name: str, signature: dict[str, Any]) -> None:
        super().__init__(signature)
        self.module_name = module_name
        self._children: dict[str, Block] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.module_name}: {len(list(self.definitions()))} blocks>"

    def elaborate(self, platform: object) -> Module:
        """The logic of the block, for Amaranth."""
        raise NotImplementedError

    def uses(self, block: B) -> B:
        """Declare that this block places `block`; returns the first one declared under its name."""
        first = self._children.setdefault(block.module_name, block)
        assert type(first) is type(block)
        return first

    def place(self, m: Module, name: str, block: Block, **inputs: Value | ValueCastable) -> dict[str, Any]:
        """Place `block` in module `m` as instance `name`; returns its outputs by port name."""
        connections: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        for port, member in block.signature.members.items():
            if member.flow == In:
                connections[f"i_{port}"] = inputs.pop(port)
            else:
                outputs[port] = Signal(member.shape, name=f"{name}_{port}")
                connections[f"o_{port}"] = outputs[port]
        assert not inputs, f"{block.module_name} has no input {', '.join(inputs)}"
        if block.clocked:
            connections |= {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        m.submodules[name] = Instance(block.module_name, **connections)
        return outputs

    def describe(self) -> Design | None:
        """The choices it was built with, for a report; None for most blocks."""
        return None

    def definitions(self) -> Iterator[Block]:
        """All blocks that this one is made of and itself, each once, parts before wholes."""
        seen: dict[str, Block] = {}
        self._collect(seen)
        yield from seen.values()

    def _collect(self, seen: dict[str, Block]) -> None:
        for child in self._children.values():
            if child.module_name not in seen:
                child._collect(seen)
        seen.setdefault(self.module_name, self)
