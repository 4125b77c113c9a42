"""Pairs of charge maps from which the earth mover's distance is learned: modules and distorted modules."""

from __future__ import annotations

import numpy as np

from models.arrays import Float64Array, IntArray
from models.trigger_cells import N_TRIGGER_CELLS, distance_matrix
from training.physics.emd import emd

_BLUR_WIDTHS = (1.0, 1.5, 2.5, 4.0, 8.0)  # sensor-cell pitches: from less than a trigger cell to half a module
_MOST_KEPT = 20  # cells that the best classical algorithm sends, at most, on any link budget to train for
_COMPONENTS = (2, 4, 8, 16)
_MOST_NOISE = 1.5  # of the logarithm of a charge
_TILE = 4  # consecutive trigger cells are one row of a rhombus


def make_pairs(
    calq: IntArray, n_pairs: int, rng: np.random.Generator
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Make true and predicted maps, both (n, 48) with sum 1, and their exact EMD (n,) in sensor-cell pitches.

    calq: (m, 48) charges in trigger-cell order; modules without charge are left out. The predicted map is another
    module, the true one (blurred, with noise, reduced to its largest cells, averaged over each row of a rhombus, or
    decoded from its principal components), or a random map; half of them have another module mixed in. n is `n_pairs`
    minus the few pairs of equal maps.
    """
    charged = calq[calq.any(axis=1)]
    maps = charged / charged.sum(axis=1, keepdims=True, dtype=np.float64)
    true, other = maps[rng.integers(len(maps), size=(2, n_pairs))]
    made = np.concatenate([
        distort(part, maps, rng) for distort, part in zip(_DISTORTIONS, np.array_split(true, len(_DISTORTIONS)),
                                                          strict=True)])
    share = rng.random((n_pairs, 1)) * (rng.random((n_pairs, 1)) < 1 / 2)
    pred = (1 - share) * made + share * other
    distance = emd(true, pred, n_processes=1)
    different = distance > 0
    return true[different], pred[different], distance[different]


def _another(true: Float64Array, maps: Float64Array, rng: np.random.Generator) -> Float64Array:
    return maps[rng.integers(len(maps), size=len(true))]


def _blurred(true: Float64Array, maps: Float64Array, rng: np.random.Generator) -> Float64Array:
    width = rng.integers(len(_BLUR_WIDTHS), size=len(true))
    result = np.empty_like(true)
    for index, sigma in enumerate(_BLUR_WIDTHS):
        spread = np.exp(-np.square(distance_matrix() / sigma) / 2)
        result[width == index] = true[width == index] @ (spread / spread.sum(axis=1, keepdims=True))
    return result


def _noisy(true: Float64Array, maps: Float64Array, rng: np.random.Generator) -> Float64Array:
    return _normalised(true * np.exp(rng.normal(size=true.shape) * _MOST_NOISE * rng.random((len(true), 1))))


def _largest(true: Float64Array, maps: Float64Array, rng: np.random.Generator) -> Float64Array:
    rank = np.argsort(np.argsort(-true, axis=1), axis=1)
    return _normalised(np.where(rank < rng.integers(1, _MOST_KEPT + 1, size=(len(true), 1)), true, 0))


def _tiled(true: Float64Array, maps: Float64Array, rng: np.random.Generator) -> Float64Array:
    means = true.reshape(len(true), N_TRIGGER_CELLS // _TILE, _TILE).mean(axis=2)
    return np.repeat(means, _TILE, axis=1)


def _decoded(true: Float64Array, maps: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Encode linearly into a few latents and decode, cutting off negative charges."""
    mean = maps.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(maps, rowvar=False))
    n_kept = rng.choice(_COMPONENTS, size=len(true))
    result = np.empty_like(true)
    for n in _COMPONENTS:
        rows, basis = n_kept == n, vectors[:, -n:]
        result[rows] = np.maximum(mean + (true[rows] - mean) @ basis @ basis.T, 0)
    return _normalised(result)


def _random(true: Float64Array, maps: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Output of an untrained decoder: a softmax of anything, from a flat map to a few cells."""
    return _normalised(np.exp(rng.normal(size=true.shape) * 3 * rng.random((len(true), 1))))


_DISTORTIONS = (_another, _blurred, _noisy, _largest, _tiled, _decoded, _random)


def _normalised(charge: Float64Array) -> Float64Array:
    total = charge.sum(axis=1, keepdims=True)
    return np.where(total > 0, charge / np.where(total > 0, total, 1), 1 / N_TRIGGER_CELLS)
