"""Comparison of samples side by side: occupancy and charges of modules, depth and width of showers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.arrays import FloatArray, IntArray
from models.calq_io import CalqTable
from models.errors import InputError
from models.trigger_cells import N_TRIGGER_CELLS, distance_matrix, image_order
from training.production.distributions import distributions
from training.production.geometry import N_LAYERS

_SHOWER = 600
"""CALQ of the largest cell from which the charge around it counts as one shower."""


def lateral_profile(calq: IntArray) -> tuple[FloatArray, FloatArray]:
    """Distances from the largest cell, in trigger cells, and the mean charge of a cell there over that of the largest.

    calq: (n, 48) in image order. Modules whose largest cell has less than 600 CALQ are left out; NaN if none remain.
    """
    charge = calq[:, np.argsort(image_order())].astype(np.float64)
    charge = charge[charge.max(axis=1, initial=0) >= _SHOWER]
    distance = np.rint(distance_matrix()[charge.argmax(axis=1)] / 2).astype(np.int64)
    share = charge / charge.max(axis=1, keepdims=True, initial=1)
    sums, cells = (np.bincount(distance.ravel(), weights, minlength=8)[:8] for weights in (share.ravel(), None))
    return np.arange(8.0), np.divide(sums, cells, out=np.full(8, np.nan), where=cells > 0)


def longitudinal_profile(name: str, table: CalqTable) -> tuple[FloatArray, FloatArray] | None:
    """Layers and the mean charge of their modules; None for files without the column `layer`.

    Raises InputError naming sample, row and value for what is not a layer.
    """
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    if "layer" not in table.extra or not len(table.calq):
        return None
    number = pd.to_numeric(table.extra["layer"], errors="coerce")
    bad = ~number.isin(range(1, N_LAYERS + 1)).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"{name}: data row {row + 1}, column layer: {str(table.extra['layer'].iloc[row])[:40]!r}, "
                         f"expected a layer 1..{N_LAYERS}")
    layer = number.to_numpy(dtype=np.int64)
    sums = np.bincount(layer, table.calq.sum(axis=1, dtype=np.int64))
    modules = np.bincount(layer)
    there = np.flatnonzero(modules)
    return there.astype(np.float64), sums[there] / modules[there]


def figure(samples: Mapping[str, CalqTable]) -> Figure:
    """Draw cells hit, module sum, largest cell, charge by trigger cell, and both profiles of each sample.

    Raises InputError naming sample and row for a layer that does not exist.
    """
    fig = Figure(figsize=(12, 7), layout="constrained")
    hit, total, largest, cell, lateral, longitudinal = fig.subplots(2, 3).ravel()
    logarithmic = np.geomspace(1, 3e4, 46)
    for name, table in samples.items():
        values = distributions(table.calq)
        _histogram(hit, values["cells hit"], np.arange(0, N_TRIGGER_CELLS + 3, 2), name)
        _histogram(total, values["module sum"], logarithmic, name)
        _histogram(largest, values["largest cell"], logarithmic, name)
        occupancy = (table.calq > 0).mean(axis=0)[np.argsort(image_order())]
        cell.plot(np.arange(N_TRIGGER_CELLS), occupancy, drawstyle="steps-mid", label=name)
        lateral.plot(*lateral_profile(table.calq), marker="o", markersize=4, label=name)
        profile = longitudinal_profile(name, table)
        # Plot even an empty profile: it takes the colour of its sample.
        longitudinal.plot(*(profile or ([], [])), marker="o", markersize=4, label=name)
    for axes, label in ((hit, "cells hit"), (total, "module sum [CALQ]"), (largest, "largest cell [CALQ]"),
                        (cell, "trigger cell"), (lateral, "distance from the largest cell [trigger cells]"),
                        (longitudinal, "layer")):
        axes.set_xlabel(label)
    for axes in (total, largest):
        axes.set_xscale("log")
    for axes in (hit, total, largest):
        axes.set_ylabel("fraction of modules")
    cell.set_ylabel("occupancy")
    cell.set_ylim(bottom=0)
    lateral.set_ylabel(f"charge over that of the largest (above {_SHOWER} CALQ)")
    lateral.set_yscale("log")
    longitudinal.set_ylabel("mean module sum [CALQ]")
    fig.legend(*hit.get_legend_handles_labels(), loc="outside upper center", ncols=len(samples), frameon=False)
    return fig


def _histogram(axes: Axes, values: IntArray, edges: IntArray | FloatArray, name: str) -> None:
    counts, _ = np.histogram(values, edges)
    axes.stairs(counts / max(len(values), 1), edges, label=name, linewidth=1.5)
