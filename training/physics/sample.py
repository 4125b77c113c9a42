"""Choice of the modules of a sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray, IntArray

N_SAMPLED = 300
"""Size of a sample, about; the maps of five algorithms on four budgets take 1 MB in the file."""

_N_EXTREME, _N_TYPICAL = 4, 2  # of each scheme


def choose(distances: Sequence[FloatArray], coordinates: Sequence[FloatArray], n: int = N_SAMPLED) -> IntArray:
    """Numbers of about n of the modules, sorted: all of them if there are no more.

    distances: EMD of each module, (modules,), for each scheme, of which the worst and the most typical modules are
    taken; coordinates: values of each module, (modules,): the others have equal distances in the rank of each.
    """
    n_modules = len(coordinates[0])
    if n_modules <= n:
        return np.arange(n_modules)
    worst = [np.argsort(distance, kind="stable")[-_N_EXTREME:] for distance in distances]
    typical = [np.argsort(np.abs(distance - np.median(distance)), kind="stable")[:_N_TYPICAL] for distance in distances]
    special = np.unique(np.concatenate([*worst, *typical]))
    each = max(2, (n - len(special)) // len(coordinates))
    places = np.linspace(0, n_modules - 1, each).round().astype(np.int64)
    spread = [np.argsort(values, kind="stable")[places] for values in coordinates]
    return np.unique(np.concatenate([special, *spread]))
