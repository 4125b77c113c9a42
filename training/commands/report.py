"""The command `report`: the HTML page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.config import Config
from models.options import ConfigFile, JsonFile
from training.commands.options import RunFolder
from training.report.page import write_report


def report(
    config: ConfigFile,
    run: RunFolder,
    json_: JsonFile = None,
    figures: Annotated[Path | None, typer.Option(help="Also write every figure into this folder.")] = None,
    format: Annotated[str, typer.Option(help="pdf or png, of the files in --figures.")] = "pdf",
    label: Annotated[str, typer.Option(help="Text after CMS above the figures in --figures.")] = "",
) -> None:
    """Write the HTML page of a run: RUN/report.html. It needs no network and no other file.

    Example: python -m training report --config configs/econ_t_5elink.yaml --run runs/econ_t_5elink
    --figures plots --format png
    """
    write_report(Config.load(config), run, json_, figures, format, label)
