"""Command `weights list`: all shipped sets in one table."""

from __future__ import annotations

from typing import Any

from models import shipped
from models.console import Column, result_console, show_table, write_csv
from models.options import CsvFile, JsonFile
from models.result import ResultList
from training.fit.run import Run
from training.report.cards import SET_TITLES, cards_rows
from training.results.card import TITLES, Card

_OPTIONAL = ("bits per latent", "decoder's weights", TITLES["published"])  # columns of a wide terminal


def show_list(json_: JsonFile = None, csv: CsvFile = None) -> None:
    """List the shipped sets with the mean EMD of modules that they were not trained on.

    Example: econ-t weights list
    """
    cards = [Run(shipped.FOLDER / name).card for name in shipped.names()]
    show_table(result_console(json_, csv),
               "EMD of modules with a cell above 35 CALQ that were not trained on",
               [SET_TITLES[0], *(Column(title, right=True, optional=title in _OPTIONAL) for title in SET_TITLES[1:])],
               cards_rows(cards))
    if json_:
        ResultList[Card](tuple(cards)).save(json_)
    if csv:
        write_csv(csv, [_record(card) for card in cards])


def _record(card: Card) -> dict[str, Any]:
    samples = {name: card.sample(name) for name in TITLES}
    return card.model_dump(include={"name", "n_elinks", "latent_bits", "decoder_parameters", "weights", "decoder"}) | {
        f"{name}_{key}": getattr(sample, key, None) for name, sample in samples.items()
        for key in ("emd_mean", "emd_error")}
