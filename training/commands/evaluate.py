"""The command `evaluate`: the physics metrics of weights on modules of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.config import Config
from models.options import CalqFiles, ConfigFile, JsonFile, Order, WeightsFile
from training.commands.console import emd_progress, show_metrics
from training.commands.options import EmdProcesses
from training.physics.evaluation import evaluate_run


def evaluate(
    config: ConfigFile,
    weights: WeightsFile,
    input: CalqFiles,
    decoder: Annotated[Path | None, typer.Option(help="decoder.npz or the folder of a run; default: that of the "
                                                      "weights.")] = None,
    json_: JsonFile = None,
    order: Order = None,
    n_processes: EmdProcesses = None,
) -> None:
    """Physics performance (EMD) through the emulator's integer latents and the decoder.

    Example: python -m training evaluate --config configs/econ_t_5elink.yaml --weights runs/econ_t_5elink/weights.npz
    --input runs/econ_t_5elink/test.csv --json metrics.json
    """
    chosen = Config.load(config)
    calq = read_calq(input, column_order(order, chosen.data.order)).calq
    found = evaluate_run(chosen, weights, decoder or weights.parent, calq, n_processes, emd_progress)
    show_metrics(chosen, found)
    if json_:
        found.save(json_)
