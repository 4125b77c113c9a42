"""Command line of the emulator: `python -m emulator encode ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from emulator.encoder import encode as run_encoder
from emulator.trace import STAGES
from models.errors import one_line_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _commands() -> None:
    """The chip in integers: the encoder alone, or the whole data path."""


@app.command()
def encode(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    input: Annotated[str, typer.Option(help="CALQ file (CSV, Parquet) or folder; - is stdin.")],
    output: Annotated[str, typer.Option(help="Latents (CSV, Parquet); - is stdout.")],
    trace: Annotated[Path | None, typer.Option(help="Also write every stage to this .npz file.")] = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
) -> None:
    """Encode module charges to latents.

    Example: python -m emulator encode --config configs/econ_t_5elink.yaml
    --weights runs/econ_t_5elink/weights.npz --input calq.csv --output latent.csv
    """
    with one_line_errors():
        from models.calq_io import column_order, read_calq, write_latents
        from models.config import Config
        from models.files import atomic_path
        from models.weights import load_weights

        chosen = Config.load(config)
        codes = load_weights(weights, chosen.encoder)
        table = read_calq(input, column_order(order, chosen.data.order))
        stages = run_encoder(chosen.encoder, codes, table.calq, keep=STAGES if trace else ["latent_code"])
        if trace:
            content: dict[str, Any] = {"digest": np.array(chosen.encoder.digest()), **stages}
            with atomic_path(trace) as temporary, temporary.open("wb") as file:
                np.savez(file, **content)
        write_latents(output, stages["latent_code"])


if __name__ == "__main__":
    app()
