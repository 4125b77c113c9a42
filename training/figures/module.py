"""Figures of one module on its way, and of the latents of many."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from models.wording import counted
from training.figures.style import COLOURS
from training.figures.wafer import CHARGE_MAP, DIFFERENCE_MAP, draw_scales, draw_wafer
from training.results.latents import LatentStatistics
from training.results.module import SentModule


def sent_module(module: SentModule) -> Figure:
    """Draw the input, and for the best scheme of each algorithm the received map above its difference to the input.

    All charges share one scale, and all differences another one.
    """
    true, shown = np.asarray(module.true, dtype=np.float64), module.best
    top = max(true.max(), *(max(one.charge) for one in shown), 1.0)
    figure = Figure(figsize=(1.95 * (1 + len(shown)), 4.9))
    panels = figure.subplots(2, 1 + len(shown), squeeze=False)
    charges = draw_wafer(panels[0][0], true, CHARGE_MAP, 0, top)
    panels[0][0].set_title(f"input, row {module.row}", fontsize="small")
    panels[1][0].set_axis_off()
    for k, one in enumerate(shown, 1):
        received = np.asarray(one.charge)
        draw_wafer(panels[0][k], received, CHARGE_MAP, 0, top)
        distance = "-" if one.emd is None else f"{one.emd:.2f}"
        panels[0][k].set_title(f"{one.scheme}\n{counted(one.n_elinks, 'link')}, EMD {distance}", fontsize="small")
        changes = draw_wafer(panels[1][k], received - true, DIFFERENCE_MAP, -top, top)
        panels[1][k].set_title("received - input", fontsize="small")
    draw_scales(panels[1][0], {"charge [CALQ]": (charges, 0.72), "difference [CALQ]": (changes, 0.3)}, 0.07, "small")
    return figure


def latent_histograms(statistics: LatentStatistics) -> Figure:
    """Draw how often the codes of each latent occur, over the whole range of their format."""
    n = len(statistics.latents)
    n_rows = -(-n // 4)
    figure = Figure(figsize=(7.6, 0.5 + 1.25 * n_rows))
    panels = figure.subplots(n_rows, 4, squeeze=False, sharex=True, sharey=True)
    end = 1 << statistics.latent_bits
    for number, axes in enumerate(panels.ravel()):
        if number >= n:
            axes.set_axis_off()
            continue
        one = statistics.latents[number]
        edges = np.linspace(0, end, len(one.counts) + 1)
        least = 0.5 / statistics.n_modules  # below one module
        axes.stairs(np.maximum(np.asarray(one.counts) / statistics.n_modules, least), edges, baseline=least, fill=True,
                    color=COLOURS[0])
        axes.set_title(f"latent {number}: {one.entropy:.1f} bits", fontsize="small")
        axes.set(xlim=(0, end), yscale="log", ylim=(least, 1))
        axes.minorticks_off()
    for axes in panels[-1]:
        axes.set_xlabel("code sent", fontsize="small")
    figure.supylabel("fraction of the modules", fontsize="small")
    return figure
