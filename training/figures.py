"""Figures of training and weights, and the two styles of all figures: each is a function from a result to a matplotlib
Figure in the style that surrounds the call, with no file written inside."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure

Style = Literal["page", "experiment"]

_INK = "#010203"  # a colour that nothing else uses: the page replaces it by the reader's text colour
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Okabe-Ito: tells apart for all kinds of colour vision, on light and dark ground."""

_PAGE: Any = {
    "text.color": _INK, "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "axes.prop_cycle": cycler(color=COLOURS), "axes.grid": True, "grid.alpha": 0.25, "grid.color": "#808080",
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "legend.frameon": False,
    "legend.fontsize": 8, "font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "report", "axes.spines.top": False,
    "axes.spines.right": False, "figure.constrained_layout.use": True,
}


def style(name: Style = "page") -> AbstractContextManager[None]:
    """A style as a context, so that nothing global changes: for the page, or as experiments publish (mplhep)."""
    context: AbstractContextManager[None] = mpl.rc_context(_PAGE if name == "page" else _experiment())
    return context


def _experiment() -> Any:
    import mplhep

    # The style is made for figures of 10 inches with letters of 26 points; these here are half as large.
    halved = {f"{axis}tick.{which}.size": mplhep.style.CMS[f"{axis}tick.{which}.size"] / 2
              for axis in "xy" for which in ("major", "minor")}
    return {**mplhep.style.CMS, **halved, "font.size": 11, "axes.linewidth": 1, "figure.constrained_layout.use": True,
            "axes.prop_cycle": cycler(color=COLOURS), "savefig.facecolor": "white"}


def ink() -> Any:
    """The colour of text in the surrounding style."""
    return mpl.rcParams["text.color"]


def as_svg(figure: Figure) -> str:
    """An inline SVG element that takes the text colour of the page around it; its ids are those that it refers to."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    return re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", text)


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Loss, and EMD if it was recorded, against the epoch; the epoch that was kept is marked."""
    has_emd = bool(history.get("val_emd"))
    deciding = history["val_emd"] if has_emd else history["val_loss"]
    best = int(np.argmin(deciding))
    epochs = np.arange(1, len(history["loss"]) + 1)
    figure = Figure(figsize=(7.6, 3.0) if has_emd else (4.4, 3.0))
    panels = figure.subplots(1, 2 if has_emd else 1, squeeze=False)[0]
    panels[0].plot(epochs, history["loss"], label="training")
    panels[0].plot(epochs, history["val_loss"], label="validation")
    panels[0].set(ylabel="loss", yscale="log")
    if has_emd:
        panels[1].plot(epochs, deciding, color=COLOURS[1], label="validation")
        panels[1].set(ylabel="mean EMD [sensor-cell pitch]")
    panels[-1].plot(epochs[best], deciding[best], "o", color=COLOURS[5], label=f"kept: epoch {epochs[best]}")
    for axes in panels:
        axes.set_xlabel("epoch")
        axes.legend()
    return figure


def weight_histograms(arrays: Mapping[str, Mapping[str, Any]]) -> Figure:
    """How often each code occurs; arrays: name -> format, min_code, max_code, codes (flat). The ends are saturation."""
    figure = Figure(figsize=(7.6, 4.4))
    grid = figure.subplots(2, 2, sharex=True)
    for axes, (name, array) in zip(grid.ravel(), arrays.items(), strict=True):
        low, high = array["min_code"], array["max_code"]
        counts = np.bincount(np.asarray(array["codes"]) - low, minlength=high - low + 1)
        axes.bar(np.arange(low, high + 1), counts, width=0.9)
        axes.set_title(f"{name}: {len(array['codes'])} codes of {array['format']}", fontsize="medium")
    for axes in grid[1]:
        axes.set_xlabel("code")
    for axes in grid[:, 0]:
        axes.set_ylabel("count")
    return figure


def kernels(codes: Sequence[int], n_filters: int) -> Figure:
    """The convolution kernels as 3x3 maps; codes in register order: row, column, filter."""
    kernel = np.asarray(codes).reshape(-1, n_filters)
    size = round(len(kernel) ** 0.5)
    figure = Figure(figsize=(7.6, 1.6))
    panels = figure.subplots(1, n_filters, squeeze=False)[0]
    limit = max(int(np.abs(kernel).max()), 1)
    for number, axes in enumerate(panels):
        mesh = axes.pcolormesh(kernel[:, number].reshape(size, size)[::-1], cmap="RdBu_r", vmin=-limit, vmax=limit,
                               edgecolors=ink(), linewidth=0.3)
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.minorticks_off()
        axes.set_title(f"filter {number}", fontsize="small")
        axes.spines[:].set_visible(False)
    figure.colorbar(mesh, ax=list(panels), label="code", shrink=0.8)
    return figure
