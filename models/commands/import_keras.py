"""The command `import`: the encoder of a Keras file in the chip's codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.config import Config
from models.keras_file import import_keras as import_file
from models.options import ConfigFile


def import_keras(
    config: ConfigFile,
    input: Annotated[Path, typer.Option(help="Keras or QKeras file of the encoder (.h5, .hdf5).")],
    output: Annotated[Path, typer.Option(help="weights.npz to write.")],
) -> None:
    """Quantise the encoder of a Keras file to the chip's codes and say what was rounded or clipped.

    Example: econ-t import --config configs/econ_t_5elink.yaml --input encoder.h5 --output weights.npz
    """
    weights, report = import_file(input, Config.load(config).encoder)
    weights.save(output)
    table = Table("array", "found as", "values", "rounded", "clipped", "largest change", title=str(input))
    for row in report:
        table.add_row(row.name, row.source, str(row.n_values), str(row.n_rounded), str(row.n_clipped),
                      f"{row.largest_change:.6g}")
    Console().print(table)
