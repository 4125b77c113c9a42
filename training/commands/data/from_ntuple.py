"""Command `data from-ntuple`: convert trigger-primitive ntuples to charges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order
from training.commands.data.options import ColumnOrder, Farm, Folder, Force, Format, Workers
from training.commands.data.parts import run_parts
from training.production import steps


def from_ntuple(
    inputs: Annotated[list[Path], typer.Argument(help="ROOT files.")],
    output: Folder,
    tree: Annotated[str | None, typer.Option(help="Tree or RNTuple, NAME or NAME;CYCLE; default: the known name, else "
                                                  "the only one with the branches.")] = None,
    charge: Annotated[str | None, typer.Option(help="Branch of the charge; default: the first known one.")] = None,
    order: ColumnOrder = "tc",
    erx: Annotated[bool, typer.Option("--erx", help="Also write link words and registers of every module.")] = False,
    events_per_part: Annotated[int, typer.Option(min=1, help="Number of events per output file.")] = 200,
    format: Format = "parquet",
    workers: Workers = 1,
    farm: Farm = None,
    force: Force = False,
) -> None:
    """Convert trigger-primitive ntuples to charges, through link words and the front end of the chip.

    Example: econ-t data from-ntuple ntuple_1.root ntuple_2.root --output calq --workers 2
    """
    columns = column_order(order, "tc")
    parts = steps.ntuple_parts(inputs, output, events_per_part=events_per_part, suffix=f".{format}", order=columns,
                               tree=tree, charge=charge, with_words=erx)
    run_parts(parts, output, workers, farm, force)
