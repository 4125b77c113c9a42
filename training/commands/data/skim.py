"""Command `data skim`: skip modules that are of no use."""

from __future__ import annotations

from typing import Annotated

import typer

from training.commands.data.options import Farm, Folder, Force, Format, Inputs, ModuleList, Workers
from training.commands.data.parts import run_parts
from training.production import steps


def skim(
    inputs: Inputs,
    output: Folder,
    partial: Annotated[bool, typer.Option("--partial/--no-partial", help="Keep partial modules.")] = False,
    min_sim_energy: Annotated[float, typer.Option(min=-1, help="Keep a SimEnergyFraction above this; -1: any.")] = 0.0,
    min_charge: Annotated[int, typer.Option(min=0, help="Smallest module sum to keep, in CALQ.")] = 1,
    modules: ModuleList = None,
    format: Format = "csv",
    workers: Workers = 1,
    farm: Farm = None,
    force: Force = False,
) -> None:
    """Skip partial modules, those without energy of the process, and those with little charge.

    Example: econ-t data skim split/nElinks_5 --output skimmed
    """
    least = None if min_sim_energy < 0 else min_sim_energy
    parts = steps.skim_parts(inputs, output, f".{format}", whole=not partial, min_sim_energy=least,
                             min_charge=min_charge, links=modules)
    run_parts(parts, output, workers, farm, force)
