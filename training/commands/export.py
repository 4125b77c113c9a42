"""Commands about a trained model for others: `export` writes TensorFlow and ONNX files, `flops` counts operations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.errors import one_line_errors


def export(
    run: Annotated[Path, typer.Option(help="Folder of a training run.")],
    output: Annotated[Path | None, typer.Option(help="Folder to write; default RUN/graphs.")] = None,
) -> None:
    """Write SavedModels, frozen graphs and ONNX files of encoder and decoder, read them back and compare.

    Example: python -m training export --run runs/econ_t_5elink
    """
    with one_line_errors():
        from models.config import Config
        from models.weights import EncoderWeights
        from training.commands.console import log_to_console

        log_to_console()
        spec = Config.load(run / "config.yaml").encoder
        weights = EncoderWeights.load(run / "weights.npz", spec)
        from training.networks.decoder import load_decoder
        from training.networks.graphs import export_graphs

        export_graphs(spec, weights, load_decoder(run, spec), output or run / "graphs")
