"""The command `flops`: operations of one inference of the encoder."""

from __future__ import annotations

import json

from models.config import Config
from models.cost import MEANINGS, cost
from models.files import write_text
from models.options import ConfigFile, JsonFile
from training.commands.console import show_figures


def flops(config: ConfigFile, json_: JsonFile = None) -> None:
    """Count the operations of one inference of the encoder.

    Example: python -m training flops --config configs/econ_t_5elink.yaml
    """
    chosen = Config.load(config)
    figures = cost(chosen.encoder)
    show_figures(f"{chosen.name}: one inference of the encoder", figures, MEANINGS)
    if json_:
        write_text(json_, json.dumps({"config": chosen.name, **figures}, indent=1) + "\n")
