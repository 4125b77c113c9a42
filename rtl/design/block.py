"""A hardware module that is defined once and placed as often as needed, so that tools see its text once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value, ValueCastable
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.results import Design

B = TypeVar("B", bound="Block")


def wire(m: Module, value: Value, name: str) -> Value:
    """`value` under a name: what is used more than once is computed once."""
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal


class Block(wiring.Component):  # type: ignore[misc]  # Amaranth has no types
    """A component with a module name of its own.

    Amaranth writes a component out again for each place where it is used. A `Block` is written out once; `place` refers
    to it by name, and whoever exports a design exports `definitions()`.
    """

    _MustUse__silence = True  # Amaranth would warn of every block that is made and not elaborated

    module_name: str
    """Equal for blocks of equal content, different for others."""

    clocked: bool = False
    """Has registers: takes the clock and the reset of the place where it stands."""

    large: bool = False
    """Worth a compilation of its own in simulation: placed many times, with much logic in it."""

    static: bool = False
    """Its registers are set before events come and stay: no path of an event starts in them."""

    def __init__(self, module_name: str, signature: dict[str, Any]) -> None:
        super().__init__(signature)
        self.module_name = module_name
        self._children: dict[str, Block] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.module_name}: {len(list(self.definitions()))} blocks>"

    def uses(self, block: B) -> B:
        """Declare that this block places `block`; returns the one of that name declared first."""
        first = self._children.setdefault(block.module_name, block)
        assert type(first) is type(block)
        return first

    def place(self, m: Module, name: str, block: Block, **inputs: Value | ValueCastable) -> dict[str, Any]:
        """Put `block` into module `m` as instance `name`; returns its outputs by port name."""
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
        """What was chosen to build it, for a report; nothing by itself."""
        return None

    def definitions(self) -> Iterator[Block]:
        """This block and all it is made of, each once, parts before wholes."""
        seen: dict[str, Block] = {}
        self._collect(seen)
        yield from seen.values()

    def _collect(self, seen: dict[str, Block]) -> None:
        for child in self._children.values():
            if child.module_name not in seen:
                child._collect(seen)
        seen.setdefault(self.module_name, self)
