"""Figure of a study of limits: mean EMD vs. what is varied, one panel each."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from training.figures.style import COLOURS
from training.results.limits import Curve, Limits

_PANELS: dict[Curve, tuple[str, bool]] = {
    "bits": ("bits per latent", False), "latents": ("latents", False),
    "refinements": ("refinements of the decoder", False), "modules": ("modules to train on", True)}


def emd_against_limits(result: Limits) -> Figure:
    """Draw every curve: its seeds as points, their mean as a line, a star at the configuration."""
    panels = [name for name in _PANELS if result.curve(name)]
    figure = Figure(figsize=(2.7 * len(panels) + 0.6, 3.4))
    for axes, name in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        label, logarithmic = _PANELS[name]
        curve = result.curve(name)
        axes.plot(list(curve), [np.mean(emd) for emd in curve.values()], color=COLOURS[0], linestyle=":")
        for value, emd in curve.items():
            own = any(one.own and one.value == value for one in result.points if one.curve == name)
            axes.plot([value] * len(emd), emd, linestyle="", marker="*" if own else "o", markersize=11 if own else 5,
                      color=COLOURS[5] if own else COLOURS[0], alpha=0.8)
        if logarithmic:
            axes.set_xscale("log")
        axes.set_xticks(list(curve), [f"{value / 1000:.0f}k" if logarithmic else str(value) for value in curve])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label)
        axes.label_outer()
    figure.axes[0].set_ylim(bottom=0)  # of all panels, once all points are there
    figure.axes[0].set_ylabel("mean EMD [sensor-cell pitches]")
    return figure
