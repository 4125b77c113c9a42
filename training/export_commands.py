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
        from training.console import log_to_console

        log_to_console()
        spec = Config.load(run / "config.yaml").encoder
        weights = EncoderWeights.load(run / "weights.npz", spec)
        from training.decoder import load_decoder
        from training.export_graphs import export_graphs

        export_graphs(spec, weights, load_decoder(run, spec), output or run / "graphs")


def flops(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    json_: Annotated[str | None, typer.Option("--json", help="Also write the figures as JSON; - is stdout.")] = None,
) -> None:
    """Count the operations of one inference of the encoder.

    Example: python -m training flops --config configs/econ_t_5elink.yaml
    """
    with one_line_errors():
        import json

        from models.config import Config
        from models.files import write_text
        from training.console import show_figures
        from training.cost import MEANINGS, cost

        chosen = Config.load(config)
        figures = cost(chosen.encoder)
        show_figures(f"{chosen.name}: one inference of the encoder", figures, MEANINGS)
        if json_:
            write_text(json_, json.dumps({"config": chosen.name, **figures}, indent=1) + "\n")
