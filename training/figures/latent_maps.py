"""Figures of maps of latents: modules in two dimensions, coloured by what is known of them, and histograms by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogFormatter, MaxNLocator

from training.figures.style import COLOURS
from training.figures.wafer import CHARGE_MAP
from training.results.latent_maps import Condition, LatentMaps

_CELLS = 34  # hexagons along the horizontal axis
_DARKEST = 0.2  # of the colour map: visible on a dark page


def latent_plane(
    maps: LatentMaps, places: Sequence[tuple[float, float]], titles: tuple[str, str]
) -> Figure:
    """Draw for each condition its mean over the modules in each hexagon of a plane."""
    x, y = np.asarray(places).T
    shown = maps.conditions
    n_columns = min(len(shown), 3)
    n_rows = -(-len(shown) // n_columns)
    # Room between the numbers at the ends of two colour bars.
    figure = Figure(figsize=(7.6, 3.0 * n_rows), layout=ConstrainedLayoutEngine(w_pad=0.12))
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.ravel()[len(shown) :]:
        axes.set_axis_off()
    colours = ListedColormap(colormaps[CHARGE_MAP](np.linspace(_DARKEST, 1, 256)))
    for axes, one in zip(panels.ravel(), shown, strict=False):
        values = np.asarray(one.values)
        low, high = values.min(), max(values.max(), values.min() + 1e-6)
        norm = LogNorm(max(low, 1e-6), high) if one.logarithmic else Normalize(low, high)
        reduce = _geometric_mean if one.logarithmic else np.mean
        cells = axes.hexbin(x, y, C=values, gridsize=_CELLS, reduce_C_function=reduce, norm=norm, cmap=colours,
                            linewidths=0.1)
        bar = figure.colorbar(cells, ax=axes, location="top", aspect=24)
        bar.set_label(f"mean {one.title}", fontsize="small")
        bar.ax.tick_params(labelsize="small")
        if one.logarithmic:
            bar.ax.xaxis.set_major_formatter(LogFormatter())
            bar.ax.minorticks_off()
        axes.set_xlabel(titles[0], fontsize="small")
        axes.tick_params(labelsize="small")
        axes.xaxis.set_major_locator(MaxNLocator(4))
    for axes in panels[:, 0]:
        axes.set_ylabel(titles[1], fontsize="small")
    return figure


def _geometric_mean(values: Sequence[float]) -> float:
    return float(np.exp(np.log(values).mean()))


def histograms_by_condition(maps: LatentMaps, condition: Condition) -> Figure:
    """Draw how often the codes of each latent occur in each third of a condition."""
    n = len(condition.groups[0].counts)
    n_rows = -(-n // 4)
    figure = Figure(figsize=(7.6, 0.9 + 1.25 * n_rows))
    panels = figure.subplots(n_rows, 4, squeeze=False, sharex=True, sharey=True)
    end = 1 << maps.latent_bits
    least = 0.5 / max(group.n_modules for group in condition.groups)  # below one module
    for number, axes in enumerate(panels.ravel()):
        if number >= n:
            axes.set_axis_off()
            continue
        for group, colour in zip(condition.groups, COLOURS, strict=False):
            counts = np.asarray(group.counts[number])
            axes.stairs(np.maximum(counts / group.n_modules, least), np.linspace(0, end, len(counts) + 1),
                        baseline=least, color=colour, linewidth=1.2, label=group.label)
        axes.set_title(f"latent {number}", fontsize="small")
        axes.set(xlim=(0, end), yscale="log", ylim=(least, 1))
        axes.minorticks_off()
        axes.tick_params(labelsize="small")
    for axes in panels[-1]:
        axes.set_xlabel("code sent", fontsize="small")
    figure.supylabel("fraction of the modules", fontsize="small")
    lines, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(lines, labels, title=condition.title, loc="outside upper center", ncols=len(labels),
                  title_fontsize="small")
    return figure
