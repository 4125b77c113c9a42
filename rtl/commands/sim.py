"""The command `sim`: from charges to latents, through the simulated Verilog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq, write_latents
from models.configured import load_configured
from models.files import atomic_directory
from models.options import CalqFile, LatentFile, Order, WeightsConfig, WeightsFile
from rtl.commands.console import waiting
from rtl.commands.options import Fold, Pipelined, Redundant, TargetName, chip


def sim(
    weights: WeightsFile,
    input: CalqFile,
    output: LatentFile,
    build: Annotated[Path, typer.Option(help="Folder for the Verilog and the compiled model.")],
    config: WeightsConfig = None,
    target: TargetName = "asic",
    redundant: Redundant = False,
    fold: Fold = None,
    pipelined: Pipelined = False,
    order: Order = None,
) -> None:
    """Load the weights over the register bus, run every event through the simulated Verilog, and write the latents.

    Example: econ-t rtl sim --weights runs/econ_t_5elink/weights.npz --input calq.csv --output latent_rtl.csv
    --build runs/econ_t_5elink/rtl
    """
    from rtl.simulation.events import simulate_events  # noqa: PLC0415  (Amaranth, which --help does without)

    chosen, codes = load_configured(weights, config)
    calq = read_calq(input, column_order(order, chosen.data.order)).calq
    top = chip(chosen, target, redundant, fold, pipelined)
    with atomic_directory(build, guarded=True) as folder, waiting("compiling and running the Verilog"):
        # Run here, not in `build`: another command may put its own model there.
        found = simulate_events(top, codes, calq, folder)
    write_latents(output, found["latent_code"])
