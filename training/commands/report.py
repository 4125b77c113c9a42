"""Command `report`: write the HTML page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.configured import find_config
from models.options import JsonFile
from training.commands.options import RunConfig, RunFolder
from training.fit.run import Run
from training.report.page import write_report


def report(
    run: RunFolder,
    config: RunConfig = None,
    json_: JsonFile = None,
    figures: Annotated[Path | None, typer.Option(help="Also write each figure into this folder.")] = None,
    format: Annotated[str, typer.Option(help="Format of the files in --figures: pdf or png.")] = "pdf",
    label: Annotated[str, typer.Option(help="Text after CMS above the files in --figures.")] = "",
) -> None:
    """Write the HTML page of a run, RUN/report.html; it needs neither network nor other files.

    That of a shipped set is runs/shipped/NAME/report.html.

    Example: econ-t report --run runs/econ_t_5elink --figures plots --format png
    """
    trained = Run(run)
    chosen = Run(trained.folder, find_config(trained.weights_file, config), new=True)
    write_report(chosen, json_, figures, format, label)
