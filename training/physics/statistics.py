"""Means with bootstrap errors, and profiles over bins of a coordinate; NaN counts as absent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray


@dataclass(frozen=True)
class Bootstrap:
    """Bootstrap resampling of n modules.

    Equal seeds resample alike, so that the difference of two algorithms on the same modules has its own, smaller error.

    Examples:
        >>> import numpy as np
        >>> from training.physics import Bootstrap
        >>> mean, error = Bootstrap(n_modules=4).mean_and_error(np.array([1.0, 1.0, 1.0, 1.0]))
        >>> float(mean), float(error)
        (1.0, 0.0)
    """

    n_modules: int
    n_resamples: int = 200
    seed: int = 1
    at_once: int = 1 << 22
    """Number of resampled values held in memory at a time."""

    def means(self, values: FloatArray) -> FloatArray:
        """Mean of every resample, (n_resamples, ...), of values (n_modules, ...); NaN counts as absent."""
        flat = np.asarray(values, dtype=np.float64).reshape(self.n_modules, -1)
        there = np.isfinite(flat)
        filled, there = np.where(there, flat, 0.0), there.astype(np.float64)
        rng = np.random.default_rng(self.seed)
        rows = max(1, min(self.n_resamples, self.at_once // max(self.n_modules, 1)))
        parts = []
        for first in range(0, self.n_resamples, rows):
            count = min(rows, self.n_resamples - first)
            picked = rng.integers(self.n_modules, size=(count, self.n_modules))
            offset = np.arange(count)[:, None] * self.n_modules
            times = np.bincount((picked + offset).ravel(), minlength=count * self.n_modules)
            times = times.reshape(count, self.n_modules).astype(np.float64)
            parts.append(ratio(times @ filled, times @ there))
        return np.concatenate(parts).reshape(self.n_resamples, *np.shape(values)[1:])

    def mean_and_error(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean over the modules and its standard error, of values (n_modules, ...)."""
        there = np.isfinite(values)
        mean = ratio(np.where(there, values, 0.0).sum(axis=0), there.sum(axis=0))
        resampled = self.means(values)
        good = np.isfinite(resampled)
        n_good = good.sum(axis=0)
        centre = ratio(np.where(good, resampled, 0.0).sum(axis=0), n_good)
        squares = np.where(good, np.square(resampled - centre), 0.0).sum(axis=0)
        return mean, np.sqrt(ratio(squares, np.maximum(n_good - 1, 0)))


def bin_edges(coordinate: FloatArray, n_bins: int) -> FloatArray:
    """Edges of bins with about equally many modules; fewer bins where values repeat, none if all are equal.

    A bin includes its lower edge but not its upper one; the last bin includes both.
    """
    edges = np.unique(np.quantile(coordinate, np.linspace(0, 1, n_bins + 1)))
    return edges if len(edges) > 1 else np.empty(0)


def bin_numbers(coordinate: FloatArray, edges: FloatArray) -> npt.NDArray[np.int64]:
    """Bin of each module, (n,)."""
    return np.clip(np.searchsorted(edges, coordinate, side="right") - 1, 0, len(edges) - 2)


def profile(
    values: FloatArray, bins: npt.NDArray[np.int64], n_bins: int, bootstrap: Bootstrap
) -> tuple[FloatArray, FloatArray]:
    """Mean and error of values (n, ...) in each bin, (n_bins, ...), NaN for an empty bin; bin -1 is left out.

    Examples:
        >>> import numpy as np
        >>> from training.physics import Bootstrap, profile
        >>> values, bins = np.array([1.0, 3.0, 5.0]), np.array([0, 0, 2])
        >>> profile(values, bins, 3, Bootstrap(3))[0].tolist()
        [2.0, nan, 5.0]
    """
    shape = (n_bins, *np.shape(values)[1:])
    mean, error = np.full(shape, np.nan), np.full(shape, np.nan)
    for number in range(n_bins):
        rows = np.flatnonzero(bins == number)
        if len(rows):
            inside = Bootstrap(len(rows), bootstrap.n_resamples, bootstrap.seed)
            mean[number], error[number] = inside.mean_and_error(values[rows])
    return mean, error


def ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> FloatArray:
    """Quotient, NaN where the denominator is not positive."""
    result: FloatArray = numerator / np.where(denominator > 0, denominator, np.nan)
    return result
