"""Exact earth mover's distance between two charge maps of a module, the main metric of the trigger primitives.

Distances obey the triangle inequality, so charge that both maps have in the same cell never needs to move: transporting
only the differences gives the same value and keeps the problem small.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import Float64Array
from models.trigger_cells import N_TRIGGER_CELLS, distance_matrix

_CHUNK = 512  # events per task: large enough to hide its overhead, small enough for a smooth progress bar
_MAX_ITERATIONS = 100_000
_WORTH_A_PROCESS = 50_000  # events: starting an interpreter takes about as long as computing these

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
    solver, distances = _solver(), distance_matrix()
    true, pred = np.asarray(true, dtype=np.float64), np.asarray(pred, dtype=np.float64)
    true_sum, pred_sum = true.sum(axis=1), pred.sum(axis=1)
    value, potential = np.zeros(len(true)), np.zeros_like(pred)
    for i in np.flatnonzero((true_sum > 0) & (pred_sum > 0)):
        surplus = true[i] / true_sum[i] - pred[i] / pred_sum[i]
        value[i], to_target, at_target = _transport(solver, distances, surplus)
        if len(at_target):  # the smallest potential that the distances allow extends it to all cells
            potential[i] = (to_target - at_target).min(axis=1)
    return value, potential


def _solver() -> Any:
    """POT's network simplex; keeps POT from importing TensorFlow, which would cost each process seconds."""
    os.environ["POT_BACKEND_DISABLE_TENSORFLOW"] = "1"
    from ot.lp.emd_wrap import emd_c  # noqa: PLC0415  (after the setting above)

    return emd_c


def _chunk(task: tuple[Float64Array, Float64Array]) -> Float64Array:
    solver, distances = _solver(), distance_matrix()
    true, pred = task
    true_sum, pred_sum = true.sum(axis=1), pred.sum(axis=1)
    result = np.full(len(true), np.nan)
    for i in np.flatnonzero((true_sum > 0) & (pred_sum > 0)):
        result[i], *_ = _transport(solver, distances, true[i] / true_sum[i] - pred[i] / pred_sum[i])
    return result


def _transport(solver: Any, distances: Float64Array, surplus: Float64Array) -> tuple[float, Float64Array, Float64Array]:
    """Minimum cost of moving charge from cells with a surplus to n with a deficit; their distances and potentials.

    surplus: (48,) with sum 0. Returns the cost, (48, n) distances of all cells to these n, and (n,) potentials.
    """
    # Methods of arrays take half as long as the functions of NumPy and indices, which counts beside the solver.
    source, target = (surplus > 0).nonzero()[0], (surplus < 0).nonzero()[0]
    if not len(source) or not len(target):
        return 0.0, distances[:, :0], surplus[:0]
    supply, demand = surplus.take(source), -surplus.take(target)
    demand *= supply.sum() / demand.sum()  # the solver needs sums that are equal to the last bit
    to_target = distances.take(target, axis=1)
    _, value, _, at_target, status = solver(supply, demand, to_target.take(source, axis=0), _MAX_ITERATIONS, 1)
    if status != 1:
        raise RuntimeError(f"the EMD solver stopped with status {status} on {surplus.tolist()}")
    return float(value), to_target, at_target
