"""Simple generator: module charges from a seed, as showers and pile-up on the hexagonal cell grid, digitised to CALQ.

It lets everything run without a file. It models what a trigger cell sees, not the detector: its few parameters were set
so that occupancy, module sum and largest cell look like those of modules with 200 pile-up at the depth of the shower
maximum. `training.production.distributions.compare` shows how well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray
from models.trigger_cells import CALQ_PER_MIPT, COORDINATES, N_TRIGGER_CELLS, PITCH, image_order

_BLOCK = 5000  # modules; bounds the memory of the shower profiles
_MAX_SHOWERS = 6
_SHOWERS_PER_MODULE = 1.1
_KINDS = (0.32, 0.46, 0.22)
"""Fractions of sparse, ordinary and busy modules."""
_MAX_CALQ = 5355
"""Charge of a saturated cell: the largest one in 10 bits after calibration, about 150 MIP_T."""


def generate(n_modules: int, seed: int) -> npt.NDArray[np.uint32]:
    """Generate charges (n_modules, 48) in image order; no module is empty, and equal arguments give equal charges.

    A larger sample starts with the modules of a smaller one with the same seed.

    Examples:
        >>> from training import generate
        >>> generate(20, seed=1).shape
        (20, 48)
        >>> (generate(20, seed=1)[:5] == generate(5, seed=1)).all()
        np.True_
    """
    seeds = np.random.SeedSequence(seed).spawn(-(-n_modules // _BLOCK))
    calq = np.empty((n_modules, N_TRIGGER_CELLS), np.uint32)
    for first, child in zip(range(0, n_modules, _BLOCK), seeds, strict=True):
        part = calq[first : first + _BLOCK]
        part[:] = _block(np.random.default_rng(child))[: len(part), image_order()]
    return calq


def _block(rng: np.random.Generator) -> npt.NDArray[np.uint32]:
    """Generate one block of modules in TC order, replacing empty modules by the next ones that are not."""
    calq = np.concatenate([_digitise(rng, _pile_up(rng, _BLOCK) + _showers(rng, _BLOCK)) for _ in range(2)])
    kept = calq[calq.any(axis=1)][:_BLOCK]
    assert len(kept) == _BLOCK
    return kept


def _pile_up(rng: np.random.Generator, n: int) -> FloatArray:
    """Soft particles: mostly single cells, whose number varies by two orders of magnitude between modules."""
    # Sparse modules far from the beam, ordinary ones, and busy ones near it.
    kind = rng.choice(3, n, p=_KINDS)
    particles = rng.gamma(np.array([1.6, 2.0, 5.0])[kind], np.array([4.0, 10.0, 21.0])[kind])
    # The rate falls along one direction across the module, as it does away from the beam.
    direction = rng.uniform(0, 2 * np.pi, n)
    along = (COORDINATES - COORDINATES.mean(axis=0)) / np.abs(COORDINATES - COORDINATES.mean(axis=0)).max()
    slope = np.exp(rng.exponential(0.5, n)[:, None] * (np.cos(direction)[:, None] * along[:, 0]
                                                      + np.sin(direction)[:, None] * along[:, 1]))
    rate = particles[:, None] * slope / slope.sum(axis=1, keepdims=True)
    hits = rng.poisson(rate)
    # The sum of `hits` log-normal deposits is drawn at once, with a width that shrinks as they add up.
    spread = np.sqrt(np.log1p((np.exp(1.05**2) - 1) / np.maximum(hits, 1)))
    mean = 23.0 * hits
    return np.where(hits > 0, mean * np.exp(spread * rng.standard_normal(hits.shape) - spread**2 / 2), 0.0)


def _showers(rng: np.random.Generator, n: int) -> FloatArray:
    """Electromagnetic showers: a narrow core and a wide halo around any point on or near the module."""
    count = np.minimum(rng.poisson(_SHOWERS_PER_MODULE * rng.gamma(1.0, 1.0, n)), _MAX_SHOWERS)
    total = np.zeros((n, N_TRIGGER_CELLS))
    for shower in range(_MAX_SHOWERS):
        module = np.flatnonzero(count > shower)
        cell = rng.integers(N_TRIGGER_CELLS, size=len(module))
        centre = COORDINATES[cell] + rng.uniform(-0.6, 0.6, (len(module), 2)) * PITCH
        distance = np.hypot(*np.moveaxis(COORDINATES[None] - centre[:, None], -1, 0)) / PITCH
        core, halo = rng.uniform(0.18, 0.45, (len(module), 1)), rng.uniform(0.7, 1.3, (len(module), 1))
        profile = 0.85 * _spot(distance, core) + 0.15 * _spot(distance, halo)
        energy = CALQ_PER_MIPT * np.minimum(rng.pareto(1.6, (len(module), 1)) * 4.0, 300.0)
        # Cells fluctuate: the charge of the outer ones comes from few secondary particles.
        total[module] += energy * profile * rng.gamma(2.0, 0.5, profile.shape)
    return total


def _spot(distance: FloatArray, radius: FloatArray) -> FloatArray:
    """Exponential profile that sums to one over the plane of cells, not over the module: showers leak out."""
    spot = np.exp(-distance / radius)
    profile: FloatArray = spot / (spot.sum(axis=1, keepdims=True) + 0.1)
    return profile


def _digitise(rng: np.random.Generator, charge: FloatArray) -> npt.NDArray[np.uint32]:
    """Suppress zeros and truncate to integers; charges are transverse, so thresholds differ between modules."""
    threshold = np.clip(rng.gamma(6.0, 0.9, (len(charge), 1)), 2.0, 12.0)
    kept = np.where(charge >= threshold, np.minimum(charge, _MAX_CALQ), 0.0)
    return kept.astype(np.uint32)
