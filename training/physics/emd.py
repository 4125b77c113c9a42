"""Exact earth mover's distance between two charge maps of a module, the main metric of the trigger primitives.

Distances obey the triangle inequality, so charge that both maps have in the same cell never needs to move: transporting
only the differences gives the same value and keeps the problem small.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import Float64Array, IntArray
from models.trigger_cells import N_TRIGGER_CELLS, distance_matrix

_CHUNK = 512  # events per task: large enough to hide its overhead, small enough for a smooth progress bar
_MAX_ITERATIONS = 100_000
_WORTH_A_PROCESS = 100_000  # events: starting an interpreter takes about as long as computing these

Progress = Callable[[Iterator[Float64Array], int], Iterator[Float64Array]]
"""Wrapper of an iterator: takes the finished chunks and their number, and yields the chunks."""


def emd(
    true: npt.ArrayLike, pred: npt.ArrayLike, n_processes: int | None = None, progress: Progress | None = None
) -> Float64Array:
    """EMD of each pair of maps in sensor-cell pitches.

    true, pred: (n, 48) charges >= 0 in trigger-cell order, on any scale: each map is normalised to 1. Returns (n,),
    NaN where one of the maps has no charge. By default, `n_processes` is chosen by the number of maps, at most the
    number of CPUs; 1 stays in this process. Raises ValueError on wrong shapes and on negative or non-finite charges.

    Examples:
        >>> import numpy as np
        >>> from training import emd
        >>> one, other = np.eye(48)[[0]], np.eye(48)[[1]]
        >>> emd(one, one).tolist(), emd(one, other).round(3).tolist()  # neighbours: two pitches
        ([0.0], [2.0])
    """
    true, pred = np.asarray(true, dtype=np.float64), np.asarray(pred, dtype=np.float64)
    for name, charge in (("true", true), ("pred", pred)):
        if charge.shape != (*true.shape[:1], N_TRIGGER_CELLS):
            raise ValueError(f"{name} has shape {charge.shape}, expected (n, {N_TRIGGER_CELLS}) for both maps")
        if not (np.isfinite(charge) & (charge >= 0)).all():
            raise ValueError(f"{name} has a negative or non-finite charge")
    tasks = [(true[i : i + _CHUNK], pred[i : i + _CHUNK]) for i in range(0, len(true), _CHUNK)]
    wrap = progress or (lambda chunks, _total: chunks)
    if n_processes is None:
        n_processes = min(os.cpu_count() or 1, 1 + len(true) // _WORTH_A_PROCESS)
    if n_processes <= 1 or len(tasks) <= 1:
        return np.concatenate([np.empty(0), *wrap(map(_chunk, tasks), len(tasks))])
    # Spawn new interpreters: forking a process that runs TensorFlow threads may hang.
    with ProcessPoolExecutor(min(n_processes, len(tasks)), get_context("spawn")) as pool:
        return np.concatenate(list(wrap(pool.map(_chunk, tasks), len(tasks))))


def emd_and_potential(true: npt.ArrayLike, pred: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
    """EMD of each pair, and the potential that proves it: the gradient of the EMD by `true`, or minus that by `pred`.

    true, pred: (n, 48) charges >= 0 in trigger-cell order. Returns (n,) and (n, 48). Between two cells, the potential f
    differs by at most their distance, and sum(f * (true - pred)) over the normalised maps is the EMD (Kantorovich and
    Rubinstein). Both are 0 where a map is empty.
    """
    true, pred = np.asarray(true, dtype=np.float64), np.asarray(pred, dtype=np.float64)
    value, at_target = np.zeros(len(true)), np.full(pred.shape, -np.inf)
    for row, cost, target, potential in _solved(true, pred):
        value[row] = cost
        at_target[row][target] = potential
    # The smallest potential that the distances allow extends it to all cells.
    everywhere = np.full(pred.shape, np.inf)
    for cell, to_cell in enumerate(distance_matrix()):
        np.minimum(everywhere, to_cell - at_target[:, [cell]], out=everywhere)
    return value, np.where(np.isfinite(everywhere), everywhere, 0.0)


@cache
def _solver() -> Any:
    """POT's network simplex, alone: what POT would start for its other algorithms takes each process seconds."""
    os.environ["POT_BACKEND_DISABLE_TENSORFLOW"] = "1"
    absent = {"sklearn", "networkx"} - sys.modules.keys()  # POT does without if they are not installed
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None makes an import fail
    try:
        from ot.lp.emd_wrap import emd_c  # noqa: PLC0415  (after the settings above)
    finally:
        for name in absent:
            del sys.modules[name]
    return emd_c


def _chunk(task: tuple[Float64Array, Float64Array]) -> Float64Array:
    true, pred = task
    result = np.where(true.any(axis=1) & pred.any(axis=1), 0.0, np.nan)
    for row, cost, *_ in _solved(true, pred):
        result[row] = cost
    return result


def _solved(true: Float64Array, pred: Float64Array) -> Iterator[tuple[int, float, IntArray, Float64Array]]:
    """Transport each map `pred` into its map `true`; pairs that are equal, or of which one is empty, are left out.

    Yields the row, the EMD, the cells with a deficit and their potentials. Everything but the solver works on all
    modules at once: for one at a time, NumPy's calls would take half as long as the solver.
    """
    solver, distances = _solver(), distance_matrix()
    rows = np.flatnonzero(true.any(axis=1) & pred.any(axis=1))
    surplus = _fractions(true[rows]) - _fractions(pred[rows])
    moves = (surplus > 0).any(axis=1) & (surplus < 0).any(axis=1)
    rows, surplus = rows[moves], surplus[moves]
    source, target = _Side.of(surplus), _Side.of(-surplus)
    # The solver needs sums that are equal to the last bit.
    demand = target.charge * np.repeat(source.sums / target.sums, target.end - target.start)
    of_source, of_target = (zip(side.start.tolist(), side.end.tolist(), strict=True) for side in (source, target))
    for row, (a, b), (c, d) in zip(rows.tolist(), of_source, of_target, strict=True):
        cells = target.cell[c:d]
        cost = distances.take(source.cell[a:b], axis=0).take(cells, axis=1)
        _, value, _, potential, status = solver(source.charge[a:b], demand[c:d], cost, _MAX_ITERATIONS, 1)
        if status != 1:
            raise RuntimeError(f"the EMD solver stopped with status {status} on {true[row].tolist()}, "
                               f"{pred[row].tolist()}")
        yield row, value, cells, potential


def _fractions(charge: Float64Array) -> Float64Array:
    fractions: Float64Array = charge / charge.sum(axis=1, keepdims=True)
    return fractions


@dataclass(frozen=True)
class _Side:
    """Cells with a surplus and their charges, of one module after the other; each has those from `start` to `end`."""

    cell: IntArray
    charge: Float64Array
    start: IntArray
    end: IntArray

    @classmethod
    def of(cls, surplus: Float64Array) -> _Side:
        """Find the positive ones in (n, 48)."""
        there = surplus > 0
        count = there.sum(axis=1)
        end = count.cumsum()
        return cls(there.nonzero()[1], surplus[there], end - count, end)

    @property
    def sums(self) -> Float64Array:
        """Sum of each module, (n,), rounded as `sum()` of its charges alone, which starts from 0."""
        found: Float64Array = np.add.reduceat(np.insert(self.charge, self.start, 0.0),
                                              self.start + np.arange(len(self.start)))
        return found
