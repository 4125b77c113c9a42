"""Command `weights card`: the card of a shipped set."""

from __future__ import annotations

from typing import Annotated

import typer

from models import shipped
from models.errors import InputError, nearest
from models.options import JsonFile
from training.fit.run import Run
from training.report.cards import card_page


def card(
    name: Annotated[str, typer.Argument(help="Name of the set; 'econ-t weights list' has all.")],
    json_: JsonFile = None,
) -> None:
    """Show the card of a shipped set in Markdown: training, quality with errors, commands, digests.

    Example: econ-t weights card econ_t_5elink
    """
    known = shipped.names()
    if name not in known:
        raise InputError(f"{name}: no shipped set of this name; expected one of {', '.join(known) or 'none'}"
                         + nearest(name, known))
    found = Run(shipped.FOLDER / name).card
    if json_ != "-":
        typer.echo(card_page(found))
    if json_:
        found.save(json_)
