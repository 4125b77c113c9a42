"""Figures of a report as files, in the style of experiments."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from models.files import atomic_path
from training.figures import comparison as figures
from training.figures.style import style
from training.figures.training import learning_curves
from training.figures.wafer import image_display, wafer_display
from training.report.parts import Plot, Section, file_name
from training.report.sections import sections
from training.results.comparison import Comparison
from training.results.report import ReportContent

FORMATS = ("pdf", "png")


def write_figures(content: ReportContent, folder: Path, figure_format: str, label: str) -> None:
    """Write every figure of the page into a folder, and for each plot that the page draws itself one of each kind."""
    # The PDF writer of matplotlib logs every font that it embeds.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    with style("experiment"):
        for plot in all_figures(content):
            if label:
                _add_label(plot.figure, label)
            with atomic_path(folder / f"{plot.name}.{figure_format}") as temporary:
                plot.figure.savefig(temporary, format=figure_format, dpi=200)


def all_figures(content: ReportContent) -> Iterator[Plot]:
    """All figures of a report, in the style in effect."""
    for section in sections(content):
        yield from _plots(section)
    if content.history:
        yield Plot("learning_curves", learning_curves(content.history), "Loss and EMD by epoch")
    if content.physics:
        yield Plot("pareto", figures.pareto(content.physics), "All schemes")
        yield Plot("emd_by_links", figures.by_budget(content.physics), "EMD vs. links")
        for n_elinks in content.physics.budgets:
            yield from _budget(content.physics, n_elinks)


def _budget(physics: Comparison, n: int) -> Iterator[Plot]:
    """Profiles, distributions and displays of one budget."""
    for one in physics.profiled:
        yield Plot(f"profile_{n}_links_{file_name(one.name)}", figures.profile(physics, n, one), f"EMD vs. {one.title}")
    for metric in ("energy_response", "occupancy_kept"):
        for one in physics.profiled[:1]:
            yield Plot(f"profile_{n}_links_{file_name(one.name)}_{metric}", figures.profile(physics, n, one, metric),
                       f"{physics.metrics[metric].title} vs. {one.title}")
    sliced = figures.slices(physics, n)
    if sliced:
        yield Plot(f"slices_{n}_links", sliced, "EMD vs. occupancy in slices of the module sum")
    for number, display in enumerate(physics.displays_of(n)):
        where = f"{display.reason}, row {display.row}"
        yield Plot(f"wafer_{n}_links_{number}", wafer_display(display), where)
        if display.latent is not None:
            yield Plot(f"image_{n}_links_{number}", image_display(display), f"As the encoder sees it: {where}")
    for name, about in physics.metrics.items():
        yield Plot(f"histogram_{n}_links_{name}", figures.histogram(physics, n, name), about.title)


def _add_label(figure: Figure, label: str) -> None:
    """Write `CMS` and the label above the axes, or above the whole figure if titles of panels leave no room."""
    import mplhep  # noqa: PLC0415  (takes a second, and the page does without)

    if figure.axes[0].get_title():
        figure.suptitle(f"CMS {label}", x=0.01, ha="left", fontsize=12)
    else:
        mplhep.cms.text(label, ax=figure.axes[0], fontsize=12)


def _plots(section: Section) -> list[Plot]:
    return [*section.plots, *(plot for child in section.children for plot in _plots(child))]
