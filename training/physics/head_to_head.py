"""Two trained sets on the same modules: differences module by module, with paired errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray, IntArray
from models.errors import InputError
from training.physics.comparison import module_metrics
from training.physics.emd import Progress
from training.physics.metrics import METRICS
from training.physics.schemes import Scheme
from training.physics.statistics import Bootstrap
from training.results.comparison import Metric
from training.results.head_to_head import HeadToHead, PairedMetric, PairedSample

N_RESAMPLES = 200
_DECIMALS = 6  # below are the errors of the decoders' single precision, which would count as differences


def compare_two(
    first: Scheme, second: Scheme, samples: Sequence[tuple[str, IntArray]], *, min_charge: float, seed: int = 1,
    progress: Progress | None = None, n_processes: int | None = None,
) -> HeadToHead:
    """Send each sample, its name and charges (n, 48) in trigger-cell order, through both schemes.

    Means are over the modules with a cell above `min_charge`. Raises InputError if a sample has none.
    """
    return HeadToHead(
        first=first.name, second=second.name, n_elinks=(first.n_elinks, second.n_elinks),
        weights=(first.weights, second.weights), min_charge=min_charge, seed=seed,
        samples=tuple(_sample((first, second), data, calq, min_charge=min_charge, seed=seed, progress=progress,
                              n_processes=n_processes) for data, calq in samples))


def _sample(
    schemes: tuple[Scheme, Scheme], data: str, calq: IntArray, *, min_charge: float, seed: int,
    progress: Progress | None, n_processes: int | None,
) -> PairedSample:
    selected = np.flatnonzero(calq.max(axis=1, initial=0) > min_charge)
    if not len(selected):
        raise InputError(f"{data}: no module has a cell above {min_charge:g} CALQ; expected at least one")
    values = module_metrics(calq[selected].astype(np.float64), [scheme.run(calq) for scheme in schemes], selected,
                            min_charge, progress, n_processes).round(_DECIMALS)
    values[~np.isfinite(values).all(axis=1, keepdims=True).repeat(2, axis=1)] = np.nan  # a pair or nothing
    with_difference = np.concatenate([values, values[:, :1] - values[:, 1:]], axis=1)
    mean, error = Bootstrap(len(selected), N_RESAMPLES, seed).mean_and_error(with_difference)
    return PairedSample(data=data, n_modules=len(calq), n_selected=len(selected), metrics=tuple(
        _paired(name, metric, values[:, :, k], mean[:, k], error[:, k])
        for k, (name, metric) in enumerate(METRICS.items())))


def _paired(name: str, metric: Metric, values: FloatArray, mean: FloatArray, error: FloatArray) -> PairedMetric:
    """A metric from its values (n, 2) and the means and errors of first, second and difference."""
    there = np.isfinite(values[:, 0])
    cost = {"low": values, "high": -values, "zero": np.abs(values), "one": np.abs(values - 1)}[metric.best][there]
    n = int(there.sum())
    return PairedMetric(
        name=name, title=metric.title, n=n, first=float(mean[0]), first_error=float(error[0]), second=float(mean[1]),
        second_error=float(error[1]), difference=float(mean[2]), difference_error=float(error[2]),
        first_better=float((cost[:, 0] < cost[:, 1]).mean()) if n else None,
        second_better=float((cost[:, 1] < cost[:, 0]).mean()) if n else None)
