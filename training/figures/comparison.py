"""Figures of a comparison of algorithms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from models.arrays import Float64Array
from models.wording import counted
from training.figures.style import COLOURS, ink
from training.results.comparison import Comparison, Coordinate, Profile, SchemeResult

ALGORITHM_COLOURS = dict(zip(("AE", "BC", "STC", "TS", "RPT"), COLOURS, strict=False))
_MARKER = {"AE": "o", "BC": "s", "STC": "^", "TS": "D", "RPT": "v"}
_LINES = ("-", "--", ":", "-.")


def _looks(schemes: Sequence[SchemeResult]) -> Iterator[tuple[SchemeResult, dict[str, Any]]]:
    """Schemes with the colour of their algorithm; line styles distinguish those of one algorithm."""
    count: dict[str, int] = {}
    for one in schemes:
        number = count.get(one.algorithm, 0)
        count[one.algorithm] = number + 1
        yield one, {"color": ALGORITHM_COLOURS[one.algorithm], "linestyle": _LINES[number % len(_LINES)],
                    "label": one.name}


def by_budget(comparison: Comparison) -> Figure:
    """Draw mean EMD vs. number of links: the best scheme of each algorithm but RPT, with its error."""
    figure = Figure(figsize=(6.4, 3.8))
    axes = figure.add_subplot()
    budgets = np.array(comparison.budgets)
    for algorithm, colour in ALGORITHM_COLOURS.items():
        best = [next((one.emd for one in comparison.table(n) if one.algorithm == algorithm), None) for n in budgets]
        mean = np.array([one.mean if one else np.nan for one in best], dtype=np.float64)
        error = np.array([one.error or 0 if one else 0 for one in best])
        if algorithm != "RPT" and not np.isnan(mean).all():
            axes.errorbar(budgets, mean, yerr=error, color=colour, marker=_MARKER[algorithm], markersize=6,
                          label=algorithm, linestyle="-", zorder=3 if algorithm == "AE" else 2)
    axes.set(xlabel="links of a module", ylabel="mean EMD [sensor-cell pitch]", xticks=budgets, ylim=(0, None))
    axes.tick_params(axis="x", which="minor", length=0)
    axes.legend(title="best of each algorithm", loc="upper right")
    return figure


def pareto(comparison: Comparison) -> Figure:
    """Draw mean EMD vs. bits per BX: a point per scheme and budget, and a line through those that no other beats."""
    figure = Figure(figsize=(7.6, 4.4))
    axes = figure.add_subplot()
    points: dict[tuple[float, float], SchemeResult] = {}
    for one in comparison.schemes:
        points.setdefault((one.bits, one.emd_mean), one)
    front, least = [], np.inf
    for place in sorted(points):
        if place[1] < least:
            front.append(place)
            least = place[1]
    x, y = np.array(front).T
    axes.step(x, y, where="post", color=ink(), linewidth=0.8, alpha=0.6)
    labelled: set[str] = set()
    for (bits, value), one in points.items():
        algorithm = one.algorithm
        axes.errorbar(bits, value, yerr=one.emd.error or 0, color=ALGORITHM_COLOURS[algorithm],
                      marker=_MARKER[algorithm], markersize=6, linestyle="",
                      label=None if algorithm in labelled else algorithm)
        labelled.add(algorithm)
        if (bits, value) in front:
            below = front.index((bits, value)) % 2  # keeps the labels of neighbours apart
            axes.annotate(one.name, (bits, value), (5, -10 if below else 4), textcoords="offset points",
                          fontsize="x-small")
    for n_elinks in sorted({one.n_elinks for one in comparison.schemes}):
        axes.axvline(32 * n_elinks, color=ink(), linewidth=0.6, linestyle=":", alpha=0.6)
        axes.annotate(counted(n_elinks, "link"), (32 * n_elinks, 1), (-3, -3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", rotation=90, ha="right", va="top", fontsize="x-small")
    axes.set(xlabel="bits per BX, without filling", ylabel="mean EMD [sensor-cell pitch]", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="y", which="minor", labelsize="x-small")
    axes.legend(loc="lower left")
    return figure


def profile(comparison: Comparison, n_elinks: int, coordinate: Coordinate, metric: str = "emd") -> Figure:
    """Draw mean and error of a metric in bins of a coordinate, overlaying the best scheme of each algorithm.

    Examples:
        >>> from training import compare
        >>> from training.data.modules import generated_modules
        >>> result = compare([], generated_modules(100, seed=1), n_elinks=(2,))
        >>> from training.figures import profile
        >>> profile(result, 2, result.coordinates[0]).axes[0].get_ylabel()
        'mean EMD'
    """
    figure = Figure(figsize=(4.4, 3.2))
    axes = figure.add_subplot()
    edges = np.array(coordinate.edges)
    wide = coordinate.name == "module_sum" and edges[0] > 0
    middle = np.sqrt(edges[1:] * edges[:-1]) if wide else (edges[1:] + edges[:-1]) / 2
    for one, look in _looks(comparison.contenders(n_elinks)):
        mean, error = _arrays(one.profile(coordinate, metric))
        axes.errorbar(middle, mean, yerr=error, marker=_MARKER[one.algorithm], markersize=4, **look)
    axes.set(xlabel=coordinate.title, ylabel=f"mean {comparison.metrics[metric].title}",
             xscale="log" if wide else "linear")
    axes.legend(fontsize="x-small")
    return figure


def slices(comparison: Comparison, n_elinks: int) -> Figure | None:
    """Draw EMD vs. occupancy in slices of the module sum, one panel each; None without slices.

    Examples:
        >>> from training import compare
        >>> from training.data.modules import generated_modules
        >>> result = compare([], generated_modules(100, seed=1), n_elinks=(2,))
        >>> from training.figures import slices
        >>> len(slices(result, 2).axes)  # one panel for each slice of the module sum
        3
    """
    sliced = comparison.sliced
    if not sliced:
        return None
    figure = Figure(figsize=(9.6, 3.0))
    panels = figure.subplots(1, len(sliced), sharey=True, squeeze=False)[0]
    for axes, coordinate in zip(panels, sliced, strict=True):
        edges = np.array(coordinate.edges)
        for one, look in _looks(comparison.contenders(n_elinks)):
            mean, error = _arrays(one.profile(coordinate))
            axes.errorbar((edges[1:] + edges[:-1]) / 2, mean, yerr=error, markersize=3,
                          marker=_MARKER[one.algorithm], **look)
        part = coordinate.slice_of
        axes.set_title(f"sum {part.low:.0f} to {part.high:.0f} CALQ" if part else "", fontsize="small")
        axes.set_xlabel(coordinate.title)
    panels[0].set_ylabel("mean EMD")
    panels[-1].legend(fontsize="x-small")
    return figure


def _arrays(profile: Profile) -> tuple[Float64Array, Float64Array]:
    """Means, NaN where a bin has none, and errors."""
    mean, error = (np.array(values, dtype=np.float64) for values in (profile.mean, profile.error))
    return mean, np.nan_to_num(error)


def histogram(comparison: Comparison, n_elinks: int, metric: str) -> Figure:
    """Draw the distribution of a metric over the modules, with mean and sigma of each scheme in the legend.

    Examples:
        >>> from training import compare
        >>> from training.data.modules import generated_modules
        >>> result = compare([], generated_modules(100, seed=1), n_elinks=(2,))
        >>> from training.figures import histogram
        >>> histogram(result, 2, "emd").axes[0].get_xlabel()
        'EMD'
    """
    figure = Figure(figsize=(4.4, 3.2))
    axes = figure.add_subplot()
    about = comparison.metrics[metric]
    for one, look in _looks(comparison.contenders(n_elinks)):
        found = one.metrics[metric]
        if found.n:
            look["label"] += f"\n{found.mean:.3g}, σ {found.sigma:.3g}"
            axes.stairs(np.array(found.counts) / found.n, about.edges, linewidth=1.4, **look)
    axes.set(xlabel=about.title, ylabel="fraction of modules", xlim=about.span)
    axes.legend(fontsize="xx-small", ncols=2)
    return figure
