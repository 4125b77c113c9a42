"""Conditions of a module that a decoder may see beside the latents: names, order and scale, stated once.

The experiment's software appends eight numbers to the 16 latents, in this order. Training, evaluation and export all
take them from here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray

N_WAFER_TYPES = 3
SOFTWARE_LAYERS = 47
"""Silicon layers as the experiment's software counts them."""
_SCALES = (("eta", 0, 3.1), ("waferv", 0, 12), ("waferu", 0, 12), ("layer", 1, SOFTWARE_LAYERS - 1))
"""Name, offset and width of the conditions that are scaled linearly."""

COLUMNS = {"eta": slice(0, 1), "waferv": slice(1, 2), "waferu": slice(2, 3), "wafertype": slice(3, 6),
           "sum": slice(6, 7), "layer": slice(7, 8)}
"""Where each condition (`models.config.CONDITIONS`) stands among the eight numbers."""
N_CONDITIONS = 8

Columns = Mapping[str, npt.NDArray[Any]]
"""What is known of n modules, by name: see `training.production.condition_columns`."""


def log_sum(module_sum: IntArray) -> npt.NDArray[np.float32]:
    """Scale module sums (n,) in CALQ: ln(1 + sum)."""
    return np.log1p(np.asarray(module_sum, np.float64)).astype(np.float32)


def conditions(module_sum: IntArray, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Scale the conditions of n modules: (n, 8) float32; a condition that is not in `columns` is 0.

    `columns`: eta, waferv, waferu, wafertype (0, 1, 2) and layer (from 1), (n,) each.
    """
    seen = np.zeros((len(module_sum), N_CONDITIONS), np.float32)
    seen[:, COLUMNS["sum"]] = log_sum(module_sum)[:, None]
    for name, offset, width in _SCALES:
        if name in columns:
            seen[:, COLUMNS[name]] = ((np.asarray(columns[name], np.float64) - offset) / width)[:, None]
    if "wafertype" in columns:
        seen[:, COLUMNS["wafertype"]] = np.asarray(columns["wafertype"])[:, None] == np.arange(N_WAFER_TYPES)
    return seen


def used_columns(names: Collection[str]) -> list[int]:
    """Positions of these conditions among the eight numbers, ascending."""
    return sorted(place for name in names for place in range(N_CONDITIONS)[COLUMNS[name]])
