"""What commands say on stderr of the chip that they ran."""

from __future__ import annotations

import typer

from emulator.output_buffer import overflow_warning
from models.arrays import IntArray
from models.registers import Registers


def show_chip(registers: Registers, n_lost: IntArray) -> None:
    """Revision, algorithm and links in one line, and a warning where the buffer can overflow; n_lost (n,) by frame."""
    typer.echo(f"{registers.summary()}: {len(n_lost)} frames", err=True)
    for warning in overflow_warning(registers, n_lost):
        typer.echo(f"warning: {warning}", err=True)
