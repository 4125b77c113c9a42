"""What commands say on stderr of the chip that they ran."""

from __future__ import annotations

import typer

from emulator.output_buffer import overflow_warning
from models.registers import Registers
from models.wording import counted


def show_chip(registers: Registers, n_losing: int, n_frames: int) -> None:
    """Revision, algorithm and links in one line, and a warning where the buffer can overflow.

    `n_losing` of the `n_frames` lost words.
    """
    typer.echo(f"{registers.summary()}: {counted(n_frames, 'frame')}", err=True)
    for warning in overflow_warning(registers, n_losing, n_frames):
        typer.echo(f"warning: {warning}", err=True)
