"""Command `weights list`: all shipped sets in one table."""

from __future__ import annotations

from models import shipped
from models.console import Column, console_for, show_table
from training.fit.run import Run
from training.report.cards import SET_TITLES, cards_rows


def show_list() -> None:
    """List the shipped sets with the mean EMD of modules that they were not trained on.

    Example: econ-t weights list
    """
    cards = [Run(shipped.FOLDER / name).card for name in shipped.names()]
    show_table(console_for(), "EMD of modules with a cell above 35 CALQ that were not trained on",
               [SET_TITLES[0], *(Column(title, right=True) for title in SET_TITLES[1:])], cards_rows(cards))
