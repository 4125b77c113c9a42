"""A page from its parts: title, verdict, sections and the data of its interactive plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from models.provenance import Provenance
from models.wording import split_command
from training.figures.style import as_svg
from training.report import interactive
from training.report.parts import Line, Section


def render(
    title: str, heading: str, lead: str, *, made: Provenance, sections: Sequence[Section],
    verdict: Sequence[Line] = (), data: Mapping[str, Any] | None = None,
) -> str:
    """Fill the template; `data` is what the explorers of the sections read: without any, the page has no library."""
    template = (resources.files("training.report") / "page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)
    environment.filters["prose"] = prose
    return environment.from_string(template).render(
        title=title, heading=heading, lead=lead, made=made, verdict=verdict, sections=sections, as_svg=as_svg,
        style_sheet=interactive.style_sheet(), library=interactive.library() if data else "",
        programs=interactive.programs(), page_data=interactive.as_json(data or {}))


def prose(text: str, between: str = "\u00a0±\u00a0") -> Markup:
    """Keep numbers beside their errors, and make the command with which a text ends look like one."""
    said, command = split_command(text.replace(" ± ", between))
    return escape(said) + (Markup(": <code>{}</code>").format(command) if command else "")
