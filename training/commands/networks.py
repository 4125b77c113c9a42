"""Command `networks`: list the networks by name."""

from __future__ import annotations

from models.console import result_console, write_csv
from models.options import CsvFile, JsonFile
from models.result import ResultList
from training.commands.console import show_records
from training.networks.catalogue import NETWORKS
from training.results.encoders import ListedNetwork


def networks(json_: JsonFile = None, csv: CsvFile = None) -> None:
    """List the networks that `train --models` knows.

    Example: econ-t networks
    """
    rows = tuple(ListedNetwork(name=name, image=network.image, loss=network.loss, formats=network.formats,
                               on_chip=network.on_chip, weights=network.n_parameters())
                 for name, network in NETWORKS.items())
    show_records(result_console(json_, csv), "networks for train --models", [dict(row) for row in rows], ["image"])
    if json_:
        ResultList[ListedNetwork](rows).save(json_)
    if csv:
        write_csv(csv, [dict(row) for row in rows])
