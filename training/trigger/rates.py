"""Rates in ordinary bunch crossings, and efficiencies at thresholds of equal rate."""

from __future__ import annotations

import numpy as np

from models.arrays import Float64Array, IntArray
from training.results.trigger import Binned, RateCurve, WorkingPoint
from training.trigger.objects import PT_EDGES, Objects, share
from training.trigger.statistics import Resampling, mean, measured

RATES = (0.1, 0.03, 0.01)
"""Shares of bunch crossings for which thresholds are found, as far as there are events for them."""
FEWEST_EVENTS = 5
"""Bunch crossings above a threshold that a rate needs."""
THRESHOLDS = tuple(float(pt) for pt in range(5, 81, 5))


def largest(event: IntArray, pt: Float64Array, n_events: int) -> Float64Array:
    """Largest pt of each event 0..n_events-1; 0 for one without any."""
    found = np.zeros(n_events)
    np.maximum.at(found, event, pt)
    return found


def above(values: Float64Array, threshold: float) -> float:
    """Share of values above a threshold; NaN of none, or without a threshold."""
    return share(passes(values, threshold))


def passes(values: Float64Array, threshold: float) -> Float64Array:
    """1 for each value above a threshold, 0 for others; NaN without a threshold."""
    found: Float64Array = np.where(np.isnan(threshold), np.nan, values > threshold)
    return found


def rate_curve(top: Float64Array, resampling: Resampling) -> RateCurve:
    """Share of events whose largest object, (n events,), is above each threshold."""
    draws = resampling.draws(np.arange(len(top)))
    return RateCurve(thresholds=THRESHOLDS, rates=tuple(
        measured(above(top, threshold), [above(top[rows], threshold) for rows in draws]) for threshold in THRESHOLDS))


def possible_rates(n_events: int) -> list[float]:
    """Those of RATES that a number of events can show."""
    return [rate for rate in RATES if rate * n_events >= FEWEST_EVENTS]


def threshold_at(top: Float64Array, rate: float) -> float:
    """Threshold which the share `rate` of the events exceeds: one of the values; NaN if fewer events have an object."""
    n_above = round(rate * len(top))
    found = float(np.sort(top)[::-1][n_above]) if n_above < len(top) else 0.0
    return found if found > 0 else float("nan")


class Resampled:
    """Threshold and efficiency of a system at a rate, for the events as they are and for each resample of them."""

    def __init__(self, top: Float64Array, objects: Objects, rate: float, resampling: Resampling, least_pt: float
                 ) -> None:
        self.rate = rate
        self.threshold = threshold_at(top, rate)
        self.thresholds = np.array([threshold_at(top[rows], rate) for rows in resampling.draws(np.arange(len(top)))])
        self._found, self._generated = np.nan_to_num(objects.matched_pt(), nan=-1.0), objects.pt
        self._event = objects.event
        self._resampling = resampling
        wanted = np.flatnonzero(objects.pt > least_pt)
        pt = self._found[wanted]
        self.efficiency = above(pt, self.threshold)
        self.efficiencies = np.array([above(pt[rows], threshold) for rows, threshold
                                      in zip(resampling.draws(self._event[wanted]), self.thresholds, strict=True)])

    def point(self) -> WorkingPoint:
        """The threshold, the efficiency and the turn-on curve with their errors."""
        number = np.searchsorted(PT_EDGES, self._generated, side="right") - 1
        values = []
        for index in range(len(PT_EDGES) - 1):
            rows = np.flatnonzero(number == index)
            found = self._found[rows]
            values.append(measured(mean(passes(found, self.threshold)), [
                mean(passes(found[drawn], threshold)) for drawn, threshold
                in zip(self._resampling.draws(self._event[rows]), self.thresholds, strict=True)]))
        return WorkingPoint(
            rate=self.rate, threshold=measured(self.threshold, self.thresholds),
            efficiency=measured(self.efficiency, self.efficiencies),
            turn_on=Binned(coordinate="pt", edges=PT_EDGES, values=tuple(values)))
