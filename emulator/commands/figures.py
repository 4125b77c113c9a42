"""The command `figures`: drawings of the frame formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.figures import figures as all_figures
from emulator.figures import svg
from models.files import write_text


def figures(output: Annotated[Path, typer.Option(help="Folder for one SVG per frame format.")]) -> None:
    """Draw the frame formats from the table that packs them.

    Example: econ-t chip figures --output docs/frames
    """
    for figure in all_figures():
        write_text(output / f"{figure.name}.svg", svg(figure))
