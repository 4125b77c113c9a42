"""Widths and errors of what a trigger measures; events are resampled, not clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import Float64Array, Int64Array, IntArray
from training.results.trigger import Binned, Measured

CORE = 0.683
"""Share of a normal distribution within one standard deviation."""
FEWEST = 5
"""Values needed for a median, a width or a mean: resamples of one value would have no error."""


def effective_width(values: Float64Array) -> float:
    """Half of the narrowest interval with 68.3% of the values; NaN for fewer than five."""
    if len(values) < FEWEST:
        return float("nan")
    ordered = np.sort(values)
    inside = int(np.ceil(CORE * len(ordered)))
    return float((ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]).min() / 2)


def median(values: Float64Array) -> float:
    """Median; NaN for fewer than five values."""
    return float(np.median(values)) if len(values) >= FEWEST else float("nan")


def mean(values: Float64Array) -> float:
    """Mean; NaN for fewer than five values."""
    return float(values.mean()) if len(values) >= FEWEST else float("nan")


def relative_width(values: Float64Array) -> float:
    """Effective width over the median; NaN if that is not positive, as of clusters below their pile-up offset."""
    middle = median(values)
    return effective_width(values) / middle if middle > 0 else float("nan")


@dataclass(frozen=True)
class Resampling:
    """Bootstrap resampling of events 0..n_events-1; equal seeds draw alike, also for other systems."""

    n_events: int
    n_resamples: int = 100
    seed: int = 1

    def draws(self, event: IntArray) -> list[Int64Array]:
        """For each resample, the rows that it has of values whose events are given, (n,)."""
        order = np.argsort(event, kind="stable")
        ends = np.searchsorted(event[order], np.arange(self.n_events + 1))
        rng, found = np.random.default_rng(self.seed), []
        for _ in range(self.n_resamples):
            picked = rng.integers(self.n_events, size=self.n_events)
            n_rows = ends[picked + 1] - ends[picked]
            first = np.repeat(ends[picked] - np.cumsum(n_rows) + n_rows, n_rows)
            found.append(order[first + np.arange(int(n_rows.sum()))])
        return found

    def measure(self, statistic: Callable[[Float64Array], float], values: Float64Array, event: IntArray) -> Measured:
        """A statistic of values and its error, (n,)."""
        return measured(statistic(values), [statistic(values[rows]) for rows in self.draws(event)])


def measured(value: float, resampled: list[float] | Float64Array) -> Measured:
    """A value with the standard deviation of its resamples; absent ones are left out, and no value has no error."""
    there = np.asarray(resampled, dtype=np.float64)
    there = there[np.isfinite(there) & np.isfinite(value)]
    return Measured(value=float(value), error=float(there.std(ddof=1)) if len(there) > 1 else None)


def binned(
    statistic: Callable[[Float64Array], float], values: Float64Array, event: IntArray, resampling: Resampling, *,
    coordinate: str, position: Float64Array, edges: tuple[float, ...],
) -> Binned:
    """A statistic in bins of a coordinate; a bin includes its lower edge only."""
    number = np.searchsorted(edges, position, side="right") - 1
    found = []
    for index in range(len(edges) - 1):
        rows = np.flatnonzero(number == index)
        found.append(resampling.measure(statistic, values[rows], event[rows]))
    return Binned.model_validate({"coordinate": coordinate, "edges": tuple(map(float, edges)), "values": tuple(found)})
