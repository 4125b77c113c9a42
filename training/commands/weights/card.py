"""Command `weights card`: the card of a shipped set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from models import shipped
from models.console import Column, result_console, show_table, write_csv
from models.errors import InputError, nearest
from models.options import CsvFile, JsonFile
from training.fit.run import Run
from training.report.cards import card_page, card_sections
from training.results.card import TITLES, Card

_OPTIONAL = ("seed", "rate", "bits of a weight", TITLES["published"], "digest")  # columns of a wide terminal


def card(
    name: Annotated[str, typer.Argument(help="Name of the set; 'econ-t weights list' has all.")],
    json_: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Show the card of a shipped set: training, quality with errors, commands, digests. In a pipe it is Markdown.

    The CSV has the quality: a row per decoder and sample.

    Example: econ-t weights card econ_t_5elink
    """
    known = shipped.names()
    if name not in known:
        raise InputError(f"{name}: no shipped set of this name; expected one of {', '.join(known) or 'none'}"
                         + nearest(name, known))
    found = Run(shipped.FOLDER / name).card
    show_card_page(result_console(json_, csv), found)
    if json_:
        found.save(json_)
    if csv:
        decoders = (None, *(one.name for one in found.compact))
        write_csv(csv, [{"decoder": decoder or "decoder", "sample": one.name} | one.model_dump(exclude={"name"})
                        for decoder in decoders for one in found.samples_of(decoder)])


def show_card_page(console: Console, found: Card) -> None:
    """Show a card with tables that fit the terminal; what goes into a file or a pipe is Markdown."""
    if not console.is_terminal:
        console.print(card_page(found), soft_wrap=True)
        return
    for one in card_sections(found):
        if one.rows:
            show_table(console, one.title, [_column(title, [row[k] for row in one.rows])
                                            for k, title in enumerate(one.titles)],
                       [[cell.strip("`") for cell in row] for row in one.rows])
        else:
            console.print(one.title, style="bold")
        if one.text:
            console.print(one.text.replace("`", ""))
        console.print()


def _column(title: str, cells: Sequence[str]) -> Column:
    numbers = all(cell[:1].isdigit() or cell == "-" for cell in cells) and title != "digest"
    return Column(title, right=numbers, wraps=not numbers, optional=title in _OPTIONAL)
