"""The command `decode`: frames to fields."""

from __future__ import annotations

from typing import Annotated

import typer

from emulator.commands.options import FirstBx
from emulator.commands.progress import with_progress
from emulator.decoding import decode_stream
from emulator.links import ETX, open_output
from models.errors import InputError
from models.options import ChipRevision, RegisterFile
from models.registers import Registers


def decode(
    registers: RegisterFile,
    input: Annotated[str, typer.Option(help="eTx words (CSV, TX_DATA_0..12); - is stdin.")],
    output: Annotated[str, typer.Option(help="Fields of each frame (CSV); - is stdout.")],
    first_bx: FirstBx = 0,
    revision: ChipRevision = None,
) -> None:
    """Read frames back: BX counter, sums, addresses, charges or latents, and charges in CALQ, one row per frame.

    A number that a frame does not carry is left empty, and so is a frame of which the output buffer lost words.
    Charges stand in the order after the mux.
    Example: econ-t chip decode --registers init.yaml --input testOutput.csv --output fields.csv
    """
    settings = Registers.load(registers, revision)
    chunks, n_lost = decode_stream(settings, ETX.read(input), first_bx), 0
    with open_output(output) as file:
        bx, header = first_bx, ""
        try:
            for decoded in with_progress(chunks):
                n_lost += decoded.n_lost
                if not header:  # the first pieces can be without a frame, as words wait in the buffer
                    header = ",".join(["bx", *decoded.column_names()]) + "\n"
                    file.write(header)
                for row in decoded.rows():
                    file.write(f"{bx},{','.join(row)}\n")
                    bx += 1
        except InputError as error:
            raise error if str(error).startswith(input) else InputError(f"{input}: {error}") from None
    typer.echo(f"{settings.summary()}: {bx - first_bx} frames", err=True)
    if n_lost:
        typer.echo(f"{n_lost} frames could not be read: the output buffer lost words "
                   f"(buff_t1 = {settings.buffer_thresholds[0]})", err=True)
