"""A module on its way as a picture, or as a page with the picture and all its numbers."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import jinja2

from models.files import atomic_path, write_text
from training.figures.module import sent_module
from training.figures.style import as_svg, style
from training.results.module import SentModule

FORMATS = (".png", ".svg", ".pdf", ".html")
"""Suffixes of the files that can be written."""


def write_module(module: SentModule, path: Path) -> None:
    """Write a picture or a page, by the suffix of the path."""
    if path.suffix == ".html":
        with style("page"):
            picture = as_svg(sent_module(module), f"Charges of row {module.row} on the wafer, as sent and as received")
        template = (resources.files("training.report") / "module.html").read_text(encoding="utf-8")
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                         lstrip_blocks=True)
        write_text(path, environment.from_string(template).render(module=module, picture=picture))
        return
    with style("experiment"), atomic_path(path) as temporary:
        sent_module(module).savefig(temporary, format=path.suffix[1:], dpi=150)
