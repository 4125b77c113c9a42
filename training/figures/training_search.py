"""Figure of a search of trainings."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.figures.style import COLOURS, ink
from training.results.training_search import TrainingSearch


def study_curves(search: TrainingSearch) -> Figure:
    """Draw the validation EMD by epoch of every training, and the kept one of each by learning rate."""
    figure = Figure(figsize=(9.0, 3.6))
    curves, rates = figure.subplots(1, 2, sharey=True)
    best = search.ranked[0]
    optimizers = {name: colour for name, colour in zip(("adam", "adamw", "lion"), COLOURS, strict=False)}
    for one in search.trials:
        curves.plot(np.arange(1, len(one.val_emd) + 1), one.val_emd, color=ink() if one is best else "#808080",
                    alpha=1 if one is best else 0.3 if one.pruned else 0.7, linewidth=2 if one is best else 1,
                    linestyle=":" if one.pruned else "-", zorder=3 if one is best else 2)
    for label, line in (("best", {"color": ink(), "linewidth": 2}), ("finished", {"color": "#808080"}),
                        ("stopped", {"color": "#808080", "linestyle": ":"})):
        curves.plot([], [], label=label, **line)
    curves.set(xlabel="epoch", ylabel="validation EMD [sensor-cell pitch]")
    curves.xaxis.set_major_locator(MaxNLocator(integer=True))
    curves.legend()
    for name, colour in optimizers.items():
        shown = [one for one in search.trials if one.options["optimizer"] == name and not one.pruned]
        if shown:
            rates.plot([one.options["learning_rate"] for one in shown], [one.best for one in shown], "o", color=colour,
                       label=name)
    rates.set(xlabel="learning rate", xscale="log")
    rates.legend(title="finished")
    return figure
