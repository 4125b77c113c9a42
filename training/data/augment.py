"""Augmentation: modules rotated, mixed and scaled as integers, before the chip's normaliser."""

from __future__ import annotations

import numpy as np

from models.arrays import IntArray
from models.config import AugmentConfig, DataConfig, TrainingConfig
from models.trigger_cells import N_TRIGGER_CELLS

_POOL_SEED = 1 << 40  # far from any data.seed: modules that augment must not also test

_MAX_CALQ = (1 << 22) // N_TRIGGER_CELLS - 1
"""The sum of 48 such charges still fits the 22 bits of the module sum."""


def pool_config(training: TrainingConfig) -> DataConfig:
    """Configuration of the generated modules that a training draws from."""
    options = training.augment
    return DataConfig(source=options.source, n_modules=options.pool, seed=_POOL_SEED + training.seed)


def augment(calq: IntArray, options: AugmentConfig, rng: np.random.Generator, pool: IntArray | None = None) -> IntArray:
    """Augment modules: return as many as given, each made of one or two of them; calq (n, 48) in trigger-cell order.

    `generated`: fraction replaced by generated modules, drawn from `pool`, (m, 48).
    `rotate`: rotate each module by 0, 1 or 2 thirds of a turn. `cut`: fraction whose three 16-cell thirds each come
    from one of two modules. `mix`: fraction to which another module, times 1/8 to 1, is added. `scale`: multiply the
    charges by up to 2^scale or its inverse, to cover another part of the normaliser's range. A module that would become
    empty stays unchanged, except for its rotation.
    """
    n = len(calq)
    calq = np.minimum(calq, _MAX_CALQ).astype(np.int32)
    if options.generated and pool is not None:
        replaced = rng.permutation(n)[: round(options.generated * n)]
        calq[replaced] = pool[rng.integers(len(pool), size=len(replaced))]
    first, second = calq, calq[rng.permutation(n)]
    if options.rotate:
        first, second = _turn(first, rng), _turn(second, rng)
    choice = rng.random(n)
    thirds = np.repeat(rng.random((n, 3)) < 1 / 2, N_TRIGGER_CELLS // 3, axis=1)
    part = 2.0 ** rng.uniform(-3, 0, (n, 1))
    cut = np.flatnonzero(choice < options.cut)
    mixed = np.flatnonzero((choice >= options.cut) & (choice < options.cut + options.mix))
    made = first.copy()
    made[cut] = np.where(thirds[cut], first[cut], second[cut])
    made[mixed] += (second[mixed] * part[mixed]).astype(np.int32)
    if options.scale:
        made = (made * 2.0 ** rng.uniform(-options.scale, options.scale, (n, 1))).astype(np.int32)
    made = np.minimum(made, _MAX_CALQ)
    empty = ~made.any(axis=1)
    made[empty] = first[empty]
    return made


def _turn(calq: IntArray, rng: np.random.Generator) -> IntArray:
    """Rotate each module by 0, 1 or 2 thirds of a turn, which permutes its three 16-cell thirds cyclically."""
    third = (np.arange(3) + rng.integers(3, size=len(calq))[:, None]) % 3 + 3 * np.arange(len(calq))[:, None]
    turned: IntArray = calq.reshape(-1, N_TRIGGER_CELLS // 3)[third].reshape(calq.shape)
    return turned
