"""Command `data from-ntuple`: convert trigger-primitive ntuples to charges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order
from training.commands.data.options import ColumnOrder, Farm, Folder, Force, Format, Workers
from training.commands.data.parts import run_parts
from training.production import steps
from training.production.ntuple import is_address


def from_ntuple(
    inputs: Annotated[list[str], typer.Argument(help="ROOT files, or addresses such as root://host//path.")],
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
    """Convert trigger-primitive ntuples to charges: of trigger cells, or of whole modules, which it tells by itself.

    Trigger cells go through link words and the front end of the chip. Charges of modules are taken as they are; their
    encoder inputs, if there are any, are checked against the chip's normaliser.

    Example: econ-t data from-ntuple ntuple_1.root ntuple_2.root --output calq --workers 2
    """
    columns = column_order(order, "tc")
    files = [one if is_address(one) else Path(one) for one in inputs]
    parts = steps.ntuple_parts(files, output, events_per_part=events_per_part, suffix=f".{format}", order=columns,
                               tree=tree, charge=charge, with_words=erx)
    run_parts(parts, output, workers, farm, force)
