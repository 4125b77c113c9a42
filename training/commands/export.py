"""The command `export`: encoder and decoder as files of TensorFlow and ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.config import Config
from models.weights import EncoderWeights
from training.commands.console import log_to_console
from training.commands.options import RunFolder
from training.networks.decoder import load_decoder
from training.networks.graphs import export_graphs


def export(
    run: RunFolder,
    output: Annotated[Path | None, typer.Option(help="Folder to write; default RUN/graphs.")] = None,
) -> None:
    """Write SavedModels, frozen graphs and ONNX files of encoder and decoder, read them back and compare.

    Example: econ-t export --run runs/econ_t_5elink
    """
    log_to_console()
    spec = Config.load(run / "config.yaml").encoder
    weights = EncoderWeights.load(run / "weights.npz", spec)
    export_graphs(spec, weights, load_decoder(run, spec), output or run / "graphs")
