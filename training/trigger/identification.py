"""Identification: a small boosted tree that tells clusters of a particle from those of pile-up by their shape."""

from __future__ import annotations

import numpy as np

from models.arrays import Float64Array, Int64Array
from models.errors import not_installed
from training.results.trigger import Identification, Measured, Shape
from training.trigger.clusters import SHAPES, Clusters
from training.trigger.statistics import Resampling, mean, measured

LEAST_PT = 10.0
"""GeV, calibrated; clusters below are not looked at."""
_WORKING_POINT = 0.95
_POINTS = 41


def features(clusters: Clusters) -> Float64Array:
    """Shapes of clusters and |eta|, (n, features); the transverse momentum is left out."""
    columns = [np.asarray(getattr(clusters, name), dtype=np.float64) for name in SHAPES]
    return np.stack([*columns, np.abs(clusters.eta)], axis=1)


def scores(signal: Clusters, background: Clusters, seed: int) -> tuple[Float64Array, Float64Array]:
    """Score of each cluster of the sample and of pile-up by a tree that was trained on the other half of the events."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  (of the extra "trigger")
    except ImportError as error:
        raise not_installed(error, "the identification needs", "trigger") from None
    x = np.concatenate([features(signal), features(background)])
    y = np.repeat([1, 0], [len(signal), len(background)])
    fold = np.concatenate([signal.event, background.event]) % 2
    found = np.zeros(len(y))
    for number in (0, 1):
        rows, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if len(set(y[others])) > 1 and len(rows):
            tree = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, class_weight="balanced",
                                                  random_state=seed)
            found[rows] = tree.fit(x[others], y[others]).predict_proba(x[rows])[:, 1]
    return found[: len(signal)], found[len(signal) :]


def identification(
    signal: Clusters, background: Clusters, resampling: Resampling
) -> Identification | None:
    """ROC curve of clusters of the sample against clusters of pile-up; None if there are too few."""
    if min(len(signal), len(background)) < 2 * len(SHAPES):
        return None
    good, bad = scores(signal, background, resampling.seed)
    wanted = np.linspace(0, 1, _POINTS)
    draws = zip(resampling.draws(signal.event), resampling.draws(background.event), strict=True)
    resampled = [(good[first], bad[second]) for first, second in draws]
    return Identification(
        signal=tuple(wanted.tolist()), background=tuple(background_at(good, bad, float(part)) for part in wanted),
        area=measured(area(good, bad), [area(*one) for one in resampled]),
        background_at_95=measured(background_at(good, bad, _WORKING_POINT),
                                  [background_at(*one, _WORKING_POINT) for one in resampled]))


def background_at(good: Float64Array, bad: Float64Array, efficiency: float) -> float:
    """Share of `bad` above the cut that keeps the share `efficiency` of `good`."""
    kept = int(np.ceil(efficiency * len(good)))
    cut = np.sort(good)[::-1][kept - 1] if kept else np.inf
    return float((bad >= cut).mean())


def area(good: Float64Array, bad: Float64Array) -> float:
    """Probability that one of `good` has a higher score than one of `bad`: the area under the ROC curve."""
    values, inverse, count = np.unique(np.concatenate([good, bad]), return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[inverse]
    assert len(values)
    return float((rank[: len(good)].sum() - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad)))


def shapes(signal: Clusters, background: Clusters | None, resampling: Resampling) -> tuple[Shape, ...]:
    """Mean shapes of clusters of the sample and of pile-up, of those that have a cell in their shape."""
    def of(clusters: Clusters, name: str) -> Measured:
        there = clusters.select(np.flatnonzero(clusters.last_layer > 0))
        values = there.last_layer - there.first_layer + 1 if name == "length" else getattr(there, name)
        return resampling.measure(mean, np.asarray(values, dtype=np.float64), there.event)

    return tuple(Shape.model_validate({
        "name": name, "signal": of(signal, name), "background": of(background, name) if background else None})
        for name in ("first_layer", "core", "length", "width"))


def rows_above(pt: Float64Array) -> Int64Array:
    """Clusters that are looked at."""
    return np.flatnonzero(pt > LEAST_PT)
