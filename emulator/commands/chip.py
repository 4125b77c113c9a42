"""The command `chip`: the whole chip on link words; and the group of what belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.chip import EconT
from emulator.commands import CHIP
from emulator.commands.options import FirstBx
from emulator.commands.progress import with_progress
from emulator.commands.summary import show_chip
from emulator.links import ERX, ETX, open_output
from models.command_line import lazy_app
from models.errors import InputError
from models.options import ChipRevision


def chip(
    context: typer.Context,
    registers: Annotated[Path | None, typer.Option(help="Register file of the chip (YAML).")] = None,
    input: Annotated[str | None, typer.Option(help="eRx words (CSV, RX_DATA_0..11); - is stdin.")] = None,
    output: Annotated[str | None, typer.Option(help="eTx words (CSV, TX_DATA_0..12); - is stdout.")] = None,
    first_bx: FirstBx = 0,
    revision: ChipRevision = None,
) -> None:
    """Run the whole chip, from input links to output links; or call one of the commands.

    Example: econ-t chip --registers init.yaml --input testInput.csv --output etx.csv
    """
    given = {"--registers": registers, "--input": input, "--output": output}
    if context.invoked_subcommand:
        odd = next((name for name, value in given.items() if value is not None), None)
        if odd:
            raise InputError(f"{odd} must follow {context.invoked_subcommand}, not precede it")
        return
    missing = next((name for name, value in given.items() if value is None), None)
    if registers is None or input is None or output is None:
        raise InputError(f"{missing} is missing, expected --registers, --input and --output, or one of "
                         f"{', '.join(CHIP)}")
    econ_t = EconT.from_yaml(registers, revision)
    n_losing = n_frames = 0
    with open_output(output) as file:
        file.write(ETX.header())
        for frames in with_progress(econ_t.stream(ERX.read(input), first_bx)):
            file.write(ETX.rows(frames.etx))
            n_losing += int((frames.n_lost > 0).sum())
            n_frames += len(frames.etx)
    show_chip(econ_t.registers, n_losing, n_frames)


app = lazy_app(chip.__doc__, CHIP, options=chip, runs=True)
