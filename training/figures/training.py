"""Figures of a training: learning curves, histograms of weights, kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from training.figures.style import COLOURS, ink
from training.results.report import WeightCodes
from training.results.run import History


def learning_curves(history: History) -> Figure:
    """Draw the loss, and the EMD if recorded, vs. epoch; mark the kept epoch, and the jump between two losses.

    Examples:
        >>> from training.figures import learning_curves
        >>> from training.results.run import History
        >>> history = History(loss=(3.0, 2.0, 1.0), val_loss=(3.1, 2.2, 1.3))
        >>> learning_curves(history).axes[0].get_xlabel()
        'epoch'
    """
    has_emd = bool(history.val_emd)
    deciding = history.val_emd if has_emd else history.val_loss
    best = int(np.argmin(deciding))
    epochs = np.arange(1, len(history.loss) + 1)
    figure = Figure(figsize=(7.6, 3.0) if has_emd else (4.4, 3.0))
    panels = figure.subplots(1, 2 if has_emd else 1, squeeze=False)[0]
    panels[0].plot(epochs, history.loss, label="training")
    panels[0].plot(epochs, history.val_loss, label="validation")
    panels[0].set(ylabel="loss", yscale="log")
    if has_emd:
        panels[1].plot(epochs, deciding, color=COLOURS[1], label="validation")
        panels[1].set(ylabel="mean EMD [sensor-cell pitch]")
    if history.final_from:
        before, after = history.losses
        for axes in panels:
            axes.axvline(history.final_from - 0.5, color=ink(), linestyle="--", linewidth=0.8,
                         label=f"{before}, then {after}")
    panels[-1].plot(epochs[best], deciding[best], "o", color=COLOURS[5], label=f"kept: epoch {epochs[best]}")
    for axes in panels:
        axes.set_xlabel("epoch")
        axes.legend()
    return figure


def weight_histograms(arrays: Mapping[str, WeightCodes]) -> Figure:
    """Draw how often each code of the four arrays occurs; codes at the ends are saturated.

    Examples:
        >>> from models import load_weights
        >>> from training.figures import weight_histograms
        >>> from training.results.report import WeightCodes
        >>> weights = load_weights("econ_t_5elink")
        >>> arrays = {
        ...     name: WeightCodes(format=str(form), min_code=form.min_code, max_code=form.max_code,
        ...                       codes=tuple(weights.arrays[name].ravel().tolist()))
        ...     for name, form in weights.spec.weight_formats.items()}
        >>> [axes.get_title() for axes in weight_histograms(arrays).axes][1]
        'conv_bias: 8 codes of S1.5 floor wrap'
    """
    figure = Figure(figsize=(7.6, 4.4))
    grid = figure.subplots(2, 2, sharex=True)
    for axes, (name, array) in zip(grid.ravel(), arrays.items(), strict=True):
        low, high = array.min_code, array.max_code
        counts = np.bincount(np.asarray(array.codes) - low, minlength=high - low + 1)
        axes.bar(np.arange(low, high + 1), counts, width=0.9)
        axes.set_title(f"{name}: {len(array.codes)} codes of {array.format}", fontsize="medium")
    for axes in grid[1]:
        axes.set_xlabel("code")
    for axes in grid[:, 0]:
        axes.set_ylabel("count")
    return figure


def kernels(codes: Sequence[int], n_filters: int) -> Figure:
    """Draw the convolution kernels as 3x3 maps; codes in register order: row, column, filter.

    Examples:
        >>> from models import load_weights
        >>> from training.figures import kernels
        >>> figure = kernels(load_weights("econ_t_5elink").conv_kernel.ravel().tolist(), n_filters=8)
        >>> len(figure.axes)  # a map for each filter, and the scale
        9
    """
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
