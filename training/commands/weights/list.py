"""Command `weights list`: all shipped sets in one table."""

from __future__ import annotations

import typer

from models import shipped
from training.fit.run import Run
from training.report.cards import cards_table


def show_list() -> None:
    """List the shipped sets in Markdown, with the mean EMD of modules that they were not trained on.

    Example: econ-t weights list
    """
    typer.echo(cards_table([Run(shipped.FOLDER / name).card for name in shipped.names()]))
