"""Command `data double`: add overlays of two rows."""

from __future__ import annotations

from training.commands.data.options import Farm, Folder, Force, Format, Inputs, Seed, Workers
from training.commands.data.parts import run_parts
from training.production import steps


def double(
    inputs: Inputs,
    output: Folder,
    seed: Seed = 1,
    format: Format = "csv",
    workers: Workers = 1,
    farm: Farm = None,
    force: Force = False,
) -> None:
    """Write every row and as many overlays of two rows: busier modules.

    Example: econ-t data double skimmed --output doubled
    """
    run_parts(steps.double_parts(inputs, output, f".{format}", seed), output, workers, farm, force)
