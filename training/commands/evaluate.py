"""Command `evaluate`: physics metrics of weights on the modules of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.configured import find_config
from models.options import CalqFiles, JsonFile, Order, WeightsConfig, WeightsFile
from training.commands.console import emd_progress, show_metrics
from training.commands.options import EmdProcesses
from training.fit.run import Run
from training.physics.evaluation import evaluate_run


def evaluate(
    weights: WeightsFile,
    input: CalqFiles,
    config: WeightsConfig = None,
    decoder: Annotated[Path | None, typer.Option(help="decoder.npz, or the folder of a run; default: the folder "
                                                      "of the weights.")] = None,
    json_: JsonFile = None,
    order: Order = None,
    n_processes: EmdProcesses = None,
) -> None:
    """Evaluate the physics performance (EMD) with the emulator's integer latents and the decoder.

    Example: econ-t evaluate --weights runs/econ_t_5elink/weights.npz --input runs/econ_t_5elink/test.csv
    --json metrics.json
    """
    chosen = find_config(weights, config)
    calq = read_calq(input, column_order(order, chosen.data.order)).calq
    beside = decoder or weights.parent
    decoder = Run(beside).decoder_file if beside.is_dir() else beside
    found = evaluate_run(chosen, weights, decoder, calq, n_processes, emd_progress)
    show_metrics(chosen, found)
    if json_:
        found.save(json_)
