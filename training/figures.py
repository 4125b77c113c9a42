"""Figures of the report: each is a function from a result to a matplotlib Figure, with no file written inside."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from models.weights import EncoderWeights

_INK = "#010203"  # a colour that nothing else uses: the page replaces it by the reader's text colour
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Okabe-Ito: tells apart for all kinds of colour vision, on light and dark ground."""

_STYLE: dict[str, Any] = {
    "text.color": _INK, "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "axes.prop_cycle": mpl.cycler(color=COLOURS), "axes.grid": True, "grid.alpha": 0.25, "grid.color": "#808080",
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "legend.frameon": False,
    "font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "report", "axes.spines.top": False,
    "axes.spines.right": False, "figure.constrained_layout.use": True,
}


def style() -> AbstractContextManager[None]:
    """The style of all figures, as a context: nothing global changes."""
    context: AbstractContextManager[None] = mpl.rc_context(_STYLE)
    return context


def as_svg(figure: Figure) -> str:
    """An inline SVG element that takes the text colour of the page around it."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Training and validation loss against the epoch; the best epoch is marked."""
    with style():
        figure = Figure(figsize=(6.4, 3.4))
        axes = figure.add_subplot()
        epochs = np.arange(1, len(history["loss"]) + 1)
        axes.plot(epochs, history["loss"], label="training")
        axes.plot(epochs, history["val_loss"], label="validation")
        best = int(np.argmin(history["val_loss"]))
        axes.plot(epochs[best], history["val_loss"][best], "o", color=COLOURS[1], label=f"best: epoch {epochs[best]}")
        axes.set(xlabel="epoch", ylabel="loss", yscale="log")
        axes.legend()
    return figure


def weight_histograms(weights: EncoderWeights) -> Figure:
    """How often each code occurs, per array of the encoder; the ends are where weights saturate."""
    with style():
        figure = Figure(figsize=(8, 4.6))
        grid = figure.subplots(2, 2, sharex=True)
        for axes, (name, codes) in zip(grid.ravel(), weights.arrays.items(), strict=True):
            form = weights.spec.weight_formats[name]
            counts = np.bincount(codes.ravel().astype(int) - form.min_code, minlength=form.max_code - form.min_code + 1)
            axes.bar(np.arange(form.min_code, form.max_code + 1), counts, width=0.9)
            axes.set_title(f"{name}: {codes.size} codes of {str(form).split()[0]}", fontsize=10)
        for axes in grid[1]:
            axes.set_xlabel("code")
        for axes in grid[:, 0]:
            axes.set_ylabel("count")
    return figure
