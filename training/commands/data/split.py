"""Command `data split`: split rows by output links."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from models.errors import InputError
from training.commands.data.options import Farm, Folder, Format, Inputs, ModuleList, Workers
from training.commands.data.parts import run_parts
from training.production import steps


def split(
    inputs: Inputs,
    output: Folder,
    allocation: Annotated[Literal["signal", "pile-up"], typer.Option(help="Links by layer or by module.")] = "signal",
    modules: ModuleList = None,
    format: Format = "csv",
    workers: Workers = 1,
    farm: Farm = None,
) -> None:
    """Split rows into the folders nElinks_2 .. nElinks_13 by the output links of their module.

    Examples: econ-t data split calq --output split

    econ-t data split calq --allocation pile-up --modules ModuleLinkSummary.csv --output split
    """
    if (allocation == "pile-up") != (modules is not None):
        raise InputError("--allocation pile-up and --modules FILE need each other; give both or neither")
    run_parts(steps.split_parts(inputs, output, f".{format}", modules), output, workers, farm)
