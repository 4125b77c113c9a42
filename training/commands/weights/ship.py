"""Command `weights ship`: a finished run becomes a shipped set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.console import result_console
from training.commands.console import emd_progress
from training.commands.weights.card import show_card_page
from training.commands.weights.options import Published, Sparse
from training.fit.run import Run


def ship(
    run: Annotated[Path, typer.Option(help="Folder of a finished run on generated modules.")],
    published: Published = None,
    sparse: Sparse = None,
) -> None:
    """Write weights, decoder in half precision, configuration and card of a run into models/trained, by its name.

    Example: econ-t weights ship --run runs/weights/econ_t_5elink --published ../shared/data/CALQ_output.csv
    """
    from training.fit.ship import ship as ship_run  # noqa: PLC0415  (starts TensorFlow, which --help does without)

    show_card_page(result_console(), ship_run(Run(run, new=True), published, sparse, emd_progress))
