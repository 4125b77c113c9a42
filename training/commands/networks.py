"""The command `networks`: a list of the networks by name."""

from __future__ import annotations

import json

from models.files import write_text
from models.options import JsonFile
from training.commands.console import show_table
from training.networks.catalogue import NETWORKS


def networks(json_: JsonFile = None) -> None:
    """List the networks that `train --models` knows.

    Example: python -m training networks
    """
    rows = [{"name": name, "image": network.image, "loss": network.loss, "formats": network.formats,
             "on_chip": network.on_chip, "weights": network.n_parameters()}
            for name, network in NETWORKS.items()]
    show_table("networks for train --models", rows)
    if json_:
        write_text(json_, json.dumps(rows, indent=1) + "\n")
