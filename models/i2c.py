"""The I2C list: the writes that bring settings into a chip, as addresses and bytes."""

from __future__ import annotations

from collections.abc import Iterator

from models.chip import Revision
from models.files import write_text
from models.register_map import register_map
from models.registers import Registers


def i2c_writes(registers: Registers) -> Iterator[tuple[int, bytes]]:
    """The writes of these settings into a P1 chip: (address, bytes), one per register that was given.

    The addresses of the production chip are not public; its settings are converted to those of P1.
    """
    registers = registers.converted(Revision.P1)
    for register in register_map().registers:
        params = [slot for slots in register.params.values() for slot in slots]
        given = {slot.address for slot in (*register.slots, *params) if slot.name in registers.given}
        for address in sorted(given):
            yield address, registers.memory[address : address + register.slots[0].n_bytes]


def save_i2c(registers: Registers, path: str) -> None:
    """Write the list as CSV, `address,bytes`; `-` is stdout."""
    rows = [f"0x{address:04x},{data.hex()}" for address, data in i2c_writes(registers)]
    write_text(path, "\n".join(["address,bytes", *rows]) + "\n")
