"""Figures of a comparison of algorithms; each takes the result of `training.physics.comparison.compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from training.figures.style import COLOURS, ink

Result = Mapping[str, Any]

_COLOUR = dict(zip(("AE", "BC", "STC", "TS", "RPT"), COLOURS, strict=False))
_MARKER = {"AE": "o", "BC": "s", "STC": "^", "TS": "D", "RPT": "v"}
_LINES = ("-", "--", ":", "-.")


def contenders(result: Result, n_elinks: int) -> list[Mapping[str, Any]]:
    """Every AE set of a budget and the best scheme of each other algorithm, by mean EMD; best first.

    Without RPT, which sends the first cells only and would set the scale of every figure; tables have it.
    """
    rows = sorted((row for row in result["schemes"] if row["n_elinks"] == n_elinks and row["algorithm"] != "RPT"),
                  key=lambda row: row["metrics"]["emd"]["mean"])
    seen: set[str] = set()
    chosen = []
    for row in rows:
        if row["algorithm"] == "AE" or row["algorithm"] not in seen:
            chosen.append(row)
        seen.add(row["algorithm"])
    return chosen


def _looks(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Rows with the colour of their algorithm; several of one algorithm differ by the line."""
    count: dict[str, int] = {}
    for row in rows:
        number = count.get(row["algorithm"], 0)
        count[row["algorithm"]] = number + 1
        yield row, {"color": _COLOUR[row["algorithm"]], "linestyle": _LINES[number % len(_LINES)], "label": row["name"]}


def pareto(result: Result) -> Figure:
    """Mean EMD against bits per BX: each point is a scheme on a budget; the line joins those that nothing beats."""
    figure = Figure(figsize=(7.6, 4.4))
    axes = figure.add_subplot()
    points: dict[tuple[float, float], Mapping[str, Any]] = {}
    for row in result["schemes"]:
        points.setdefault((row["bits"], row["metrics"]["emd"]["mean"]), row)
    front, least = [], np.inf
    for place in sorted(points):
        if place[1] < least:
            front.append(place)
            least = place[1]
    x, y = np.array(front).T
    axes.step(x, y, where="post", color=ink(), linewidth=0.8, alpha=0.6)
    labelled: set[str] = set()
    for (bits, value), row in points.items():
        algorithm = row["algorithm"]
        axes.errorbar(bits, value, yerr=row["metrics"]["emd"]["error"] or 0, color=_COLOUR[algorithm],
                      marker=_MARKER[algorithm], markersize=6, linestyle="",
                      label=None if algorithm in labelled else algorithm)
        labelled.add(algorithm)
        if (bits, value) in front:
            below = front.index((bits, value)) % 2  # so that neighbours do not run into each other
            axes.annotate(row["name"], (bits, value), (5, -10 if below else 4), textcoords="offset points",
                          fontsize="x-small")
    for n_elinks in sorted({row["n_elinks"] for row in result["schemes"]}):
        axes.axvline(32 * n_elinks, color=ink(), linewidth=0.6, linestyle=":", alpha=0.6)
        axes.annotate(f"{n_elinks} links", (32 * n_elinks, 1), (-3, -3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", rotation=90, ha="right", va="top", fontsize="x-small")
    axes.set(xlabel="bits per BX, without filling", ylabel="mean EMD [sensor-cell pitch]", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="y", which="minor", labelsize="x-small")
    axes.legend(loc="lower left")
    return figure


def profile(result: Result, n_elinks: int, coordinate: Mapping[str, Any], metric: str = "emd") -> Figure:
    """Mean and error of a metric in bins of a coordinate, the best scheme of each algorithm overlaid."""
    figure = Figure(figsize=(4.4, 3.2))
    axes = figure.add_subplot()
    edges = np.array(coordinate["edges"], dtype=np.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    wide = coordinate["name"] == "module_sum" and edges[0] > 0
    if wide:
        middle = np.sqrt(edges[1:] * edges[:-1])
    for row, look in _looks(contenders(result, n_elinks)):
        values = row["profiles"][coordinate["name"]][metric]
        mean, error = (np.array(values[name], dtype=np.float64) for name in ("mean", "error"))
        axes.errorbar(middle, mean, yerr=np.nan_to_num(error), marker=_MARKER[row["algorithm"]], markersize=4, **look)
    about = result["metrics"][metric]
    axes.set(xlabel=coordinate["title"], ylabel=f"mean {about['title']}", xscale="log" if wide else "linear")
    axes.legend(fontsize="x-small")
    return figure


def slices(result: Result, n_elinks: int) -> Figure | None:
    """EMD against occupancy in slices of the module sum, one panel each."""
    found = [one for one in result["coordinates"] if one["name"].startswith("occupancy, sum ")]
    if not found:
        return None
    figure = Figure(figsize=(9.6, 3.0))
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, coordinate in zip(panels, found, strict=True):
        edges = np.array(coordinate["edges"], dtype=np.float64)
        for row, look in _looks(contenders(result, n_elinks)):
            values = row["profiles"][coordinate["name"]]["emd"]
            mean, error = (np.array(values[name], dtype=np.float64) for name in ("mean", "error"))
            axes.errorbar((edges[1:] + edges[:-1]) / 2, mean, yerr=np.nan_to_num(error), markersize=3,
                          marker=_MARKER[row["algorithm"]], **look)
        axes.set_title(coordinate["name"].removeprefix("occupancy, ") + " CALQ", fontsize="small")
        axes.set_xlabel(coordinate["title"])
    panels[0].set_ylabel("mean EMD")
    panels[-1].legend(fontsize="x-small")
    return figure


def histogram(result: Result, n_elinks: int, metric: str) -> Figure:
    """Distribution of a metric over the modules, overlaid; mean and sigma in the legend."""
    figure = Figure(figsize=(4.4, 3.2))
    axes = figure.add_subplot()
    about = result["metrics"][metric]
    for row, look in _looks(contenders(result, n_elinks)):
        figures = row["metrics"][metric]
        if figures["n"]:
            look["label"] += f"\n{figures['mean']:.3g}, σ {figures['sigma']:.3g}"
            axes.stairs(np.array(figures["counts"]) / figures["n"], about["edges"], linewidth=1.4, **look)
    axes.set(xlabel=about["title"], ylabel="part of the modules", xlim=about["span"])
    axes.legend(fontsize="xx-small", ncols=2)
    return figure
