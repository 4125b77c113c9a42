"""Command `export`: write encoder and decoder as TensorFlow and ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.console import log_to_console
from training.commands.options import RunFolder
from training.fit.run import Run
from training.networks.graphs import export_graphs


def export(
    run: RunFolder,
    output: Annotated[Path | None, typer.Option(help="Folder to write; default: RUN/graphs.")] = None,
) -> None:
    """Write SavedModels, frozen graphs and ONNX files of encoder and decoder, and check them by reading them back.

    Example: econ-t export --run runs/econ_t_5elink
    """
    log_to_console()
    trained = Run(run)
    export_graphs(trained.weights.spec, trained.weights, trained.decoder, output or trained.graphs_folder)
