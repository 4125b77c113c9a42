"""The command `flops`: operations of one inference of the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.errors import one_line_errors


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
        from models.cost import MEANINGS, cost
        from models.files import write_text
        from training.commands.console import show_figures

        chosen = Config.load(config)
        figures = cost(chosen.encoder)
        show_figures(f"{chosen.name}: one inference of the encoder", figures, MEANINGS)
        if json_:
            write_text(json_, json.dumps({"config": chosen.name, **figures}, indent=1) + "\n")
