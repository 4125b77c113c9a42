"""The command `registers convert`: a register file in another dialect."""

from __future__ import annotations

from typing import Annotated

import typer

from models.dialects import Dialect
from models.options import ChipRevision, RegisterFile
from models.registers import Registers


def convert(
    registers: RegisterFile,
    output: Annotated[str, typer.Option(help="Register file to write; - is stdout.")],
    dialect: Annotated[Dialect, typer.Option(help="Dialect to write.")],
    revision: ChipRevision = None,
) -> None:
    """Write the settings of a register file in another dialect, for the chip that it is of.

    Mux numbers, link counts or masks, AE masks and the filling word are translated; a setting that the other dialect
    does not have is an error that names it.
    Example: econ-t registers convert --registers init.yaml --output production.yaml --dialect production
    """
    settings = Registers.load(registers, revision)
    settings.save(output, dialect)
    typer.echo(f"{settings.summary()}, in dialect {settings.dialect} -> {dialect}", err=True)
