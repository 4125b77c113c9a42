"""Command `flops`: count the operations of one inference of the encoder."""

from __future__ import annotations

from models.config import Config
from models.console import result_console, write_csv
from models.cost import cost
from models.options import ConfigFile, CsvFile, JsonFile
from training.commands.console import show_values
from training.results.encoders import EncoderCost


def flops(config: ConfigFile, json_: JsonFile = None, csv: CsvFile = None) -> None:
    """Count the operations of one inference of the encoder.

    Example: econ-t flops --config configs/econ_t_5elink.yaml
    """
    chosen = Config.load(config)
    found = EncoderCost(config=chosen.name, **dict(cost(chosen.encoder)))
    show_values(result_console(json_, csv), f"{chosen.name}: one inference of the encoder", found)
    if json_:
        found.save(json_)
    if csv:
        write_csv(csv, [found.model_dump()])
