"""Command `data shuffle`: write all rows in random order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.console import result_console
from models.files import check_replaced
from training.commands.data.options import Force, Inputs, Seed
from training.commands.data.parts import counts_text
from training.production import transform
from training.production.stream import data_files, keep_inputs


def shuffle(
    inputs: Inputs,
    output: Annotated[Path, typer.Option(help="File to write (.csv, .csv.gz, .parquet).")],
    seed: Seed = 1,
    rows_in_memory: Annotated[int, typer.Option(min=1000, help="Largest number of rows in memory.")] = 200_000,
    force: Force = False,
) -> None:
    """Write all rows of all files in random order, in bounded memory.

    Example: econ-t data shuffle skimmed --output shuffled.csv
    """
    files = data_files(inputs)
    keep_inputs(files, [output])
    check_replaced(output, force)
    counts = transform.shuffle(files, output, seed, rows_in_memory)
    result_console().print(f"{output}: {counts_text(counts)}")
