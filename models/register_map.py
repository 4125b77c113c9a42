"""The chip's register map: which name is which run of bits in the memory behind the I2C address."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.chip import MAX_ELINKS, Algorithm
from models.trigger_cells import N_TRIGGER_CELLS

MAP_FILE = Path(__file__).with_name("register_map.yaml")
MEMORY_BYTES = 0x0C04
P1_BYTES = 0x0C00
"""What the I2C addresses of P1 reach; behind it stand the settings that the production chip alone has."""

EXPECTED = {
    "MFC_ALGORITHM_SEL_DENSITY.algo.select": range(len(Algorithm)),
    "FMTBUF_ALL.config.eporttx_numen": range(1, MAX_ELINKS + 1),
    "MFC_MUX_SELECT.mux_select_*": range(N_TRIGGER_CELLS),
}
"""Values for which the behaviour of the data path is defined, where these are not all that the bits can hold."""


@dataclass(frozen=True)
class Slot:
    """A run of bits in the register memory: a register, or one parameter inside a register."""

    name: str
    address: int
    n_bytes: int
    shift: int
    bits: int
    expected: range

    def read(self, memory: bytes | bytearray) -> int:
        """The value in memory."""
        whole = int.from_bytes(memory[self.address : self.address + self.n_bytes], "little")
        return whole >> self.shift & ((1 << self.bits) - 1)

    def overlaps(self, other: Slot) -> bool:
        """Whether the two share a bit."""
        return (self.address == other.address and self.shift < other.shift + other.bits
                and other.shift < self.shift + self.bits)

    def write(self, memory: bytearray, value: int) -> None:
        """Put `value` (0 <= value < 2^bits) into memory and leave the bits around it alone."""
        span = slice(self.address, self.address + self.n_bytes)
        whole = int.from_bytes(memory[span], "little")
        mask = ((1 << self.bits) - 1) << self.shift
        memory[span] = (whole & ~mask | value << self.shift).to_bytes(self.n_bytes, "little")


@dataclass(frozen=True)
class Register:
    """One row of the map in one block: the register(s) of a name, and the parameters inside each."""

    family: str
    """The block's name in the map, with its `*` if it repeats; equal to `block` if it does not."""
    block: str
    name: str
    slots: tuple[Slot, ...]
    reset: tuple[int, ...]
    params: Mapping[str, tuple[Slot, ...]] = field(default_factory=dict)

    @property
    def production(self) -> bool:
        """Whether the production chip alone has it."""
        return self.slots[0].address >= P1_BYTES

    @property
    def repeated(self) -> bool:
        """Whether the name stands for several registers."""
        return "*" in self.name


@dataclass(frozen=True)
class RegisterMap:
    """All read-write registers.

    `slots` finds them by dotted name, `FMTBUF_ALL.buff_t1`, `FMTBUF_ALL.config.eporttx_numen`; a `*` names every
    repetition at once (`MFC_CAL_VAL.cal_*`, `AUTOENCODER_*INPUT.weights_byte0`), a number one of them. A parameter
    whose name is no register's may also stand directly under its block, as published register files write it.
    """

    registers: tuple[Register, ...]
    slots: Mapping[str, tuple[Slot, ...]]

    def reset_memory(self) -> bytearray:
        """Register memory after a reset."""
        memory = bytearray(MEMORY_BYTES)
        for register in self.registers:
            for slot, value in zip(register.slots, register.reset, strict=True):
                slot.write(memory, value)
        return memory


@functools.cache
def register_map() -> RegisterMap:
    """Read the map once."""
    import yaml  # noqa: PLC0415  (here, so that naming the type of a register does not need YAML)

    content = yaml.safe_load(MAP_FILE.read_text(encoding="utf-8"))
    registers = tuple(register for name, block in content.items() for register in _block_registers(name, block))
    slots: dict[str, list[Slot]] = {}
    for register in registers:
        for block in {register.block, register.family}:
            for name, found in _named_slots(register):
                slots.setdefault(f"{block}.{name}", []).extend(found)
    for register in registers:
        for param, found in register.params.items():
            slots.setdefault(f"{register.block}.{param}", list(found))
    return RegisterMap(registers, {name: tuple(found) for name, found in slots.items()})


def _named_slots(register: Register) -> Iterator[tuple[str, tuple[Slot, ...]]]:
    """Every name of a register and its parameters inside the block, with what it stands for."""
    families = {register.name: register.slots} | {f"{register.name}.{p}": s for p, s in register.params.items()}
    for name, slots in families.items():
        yield name, slots
        if register.repeated:
            for index, slot in enumerate(slots):
                yield name.replace("*", str(index)), (slot,)


def _block_registers(name: str, block: Mapping[str, Any]) -> Iterator[Register]:
    for index in range(block.get("count", 1)):
        address = block["address"] + index * block.get("stride", 0)
        for register, row in block["registers"].items():
            made = _register(name, name.replace("*", str(index)), register, address, row)
            yield made
            address += sum(slot.n_bytes for slot in made.slots)


def _register(family: str, block: str, name: str, address: int, row: Mapping[str, Any]) -> Register:
    count, n_bytes = row.get("count", 1), row.get("bytes", 1)
    reset = row.get("reset", 0)

    def slots(suffix: str, shift: int, bits: int) -> tuple[Slot, ...]:
        expected = EXPECTED.get(f"{block}.{name}{suffix}", range(1 << bits))
        return tuple(
            Slot(f"{block}.{name.replace('*', str(i))}{suffix}", address + i * n_bytes, n_bytes, shift, bits, expected)
            for i in range(count)
        )

    params = {param: slots(f".{param}", shift, bits) for param, (shift, bits) in row.get("params", {}).items()}
    values = tuple(reset) if isinstance(reset, list) else (reset,) * count
    return Register(family, block, name, slots("", 0, row.get("bits", 8 * n_bytes)), values, params)
