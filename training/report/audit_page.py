"""Page of an audit: the verdict, what an encoder from elsewhere sends, and what is left of it on the chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from models.files import write_text
from models.provenance import provenance
from training.figures.style import COLOURS, style
from training.report.parts import Cell, Line, Plot, Section, Table, plain_table
from training.report.render import render
from training.results.audit import Audit, Way

_PARTS = {"negative": "negative", "zero": "0", "saturated": "at the end of the range"}


def write_audit(audit: Audit, path: Path) -> None:
    """Write the page."""
    with style("page"):
        page = render(
            f"Audit of {Path(audit.file).name}", f"Audit of {audit.file}",
            f"{audit.n_modules:,} modules with charge of {audit.data}; decoder: {audit.decoder}", made=provenance(),
            verdict=[Line("bad" if audit.untrained or audit.ways[0].negative > 0 else "", audit.verdict)],
            sections=_sections(audit), data={})
    write_text(path, page)


def _sections(audit: Audit) -> list[Section]:
    told = [audit.untrained] if audit.untrained else []
    return [
        Section("What it sends", "Latents as the links carry them, computed in each way. The EMD is that of half of "
                "the modules, which no fresh decoder was trained on.", [_table(audit.ways)],
                [Plot("parts_of_the_latents", parts_of_latents(audit.ways),
                      "Parts of the latents that are negative, 0 or at the end of their range", wide=True)]),
        Section("What the chip does not have", "" if told or audit.differences else "Nothing was found.",
                [plain_table(["finding"], [[line] for line in (*told, *audit.differences)])]
                if told or audit.differences else []),
        Section("How the file was read", tables=[plain_table(["note"], [[line] for line in audit.notes])]),
    ]


def _table(ways: tuple[Way, ...]) -> Table:
    meanings = Way.meanings()
    rows = [[Cell(way.name), *(Cell("-" if value is None else f"{value:.4g}", value)
                               for value in (getattr(way, name) for name in meanings))] for way in ways]
    titles = ["latents of", *(name.replace("_", " ").replace("n codes", "codes").replace("emd", "EMD")
                              for name in meanings)]
    return Table(titles, rows, frozenset(range(1, len(titles))),
                 "; ".join(f"{title}: {meaning}" for title, meaning in zip(titles[1:], meanings.values(), strict=True)))


def parts_of_latents(ways: tuple[Way, ...]) -> Figure:
    """Draw a bar for each way, of the parts of its latents that tell little or are lost on the chip."""
    figure = Figure(figsize=(7.6, 1.1 + 0.45 * len(ways)))
    axes = figure.subplots()
    place, start = np.arange(len(ways))[::-1], np.zeros(len(ways))
    for (name, title), colour in zip(_PARTS.items(), COLOURS, strict=False):
        part = np.array([getattr(way, name) for way in ways])
        axes.barh(place, part, left=start, color=colour, label=title, height=0.6)
        start += part
    axes.set(xlim=(0, 1), xlabel="part of the latents", yticks=place, yticklabels=[way.name for way in ways])
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper center", ncols=len(_PARTS))
    return figure
