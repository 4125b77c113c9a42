"""More modules out of few: turned, mixed and scaled ones, as integers, before the chip's normaliser sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.config import AugmentConfig
from models.trigger_cells import N_TRIGGER_CELLS, ROTATION

IntArray = npt.NDArray[np.integer[Any]]

_MAX_CALQ = (1 << 22) // N_TRIGGER_CELLS - 1
"""No sum of 48 such charges leaves the 22 bits of the module sum."""


def augment(calq: IntArray, options: AugmentConfig, rng: np.random.Generator, pool: IntArray | None = None) -> IntArray:
    """As many modules as given, each made of one or two of them; calq (n, 48) in trigger-cell order.

    `generated`: the fraction that is replaced by modules of the embedded generator, drawn from `pool`, (m, 48).
    `rotate`: each is turned by 0, 1 or 2 thirds of a turn. `cut`: the fraction whose three 16-cell thirds come from
    either of two modules. `mix`: the fraction to which another module, times 1/8 to 1, is added. `scale`: charges are
    multiplied by up to 2^scale or its inverse, so that another part of the normaliser's range is seen. What comes out
    empty stays as it was.
    """
    n = len(calq)
    if options.generated and pool is not None:
        replaced = rng.permutation(n)[: round(options.generated * n)]
        calq = calq.copy()
        calq[replaced] = pool[rng.integers(len(pool), size=len(replaced))]
    first, second = calq.astype(np.int64), calq[rng.permutation(n)].astype(np.int64)
    if options.rotate:
        first, second = _turn(first, rng), _turn(second, rng)
    choice = rng.random(n)[:, None]
    thirds = np.repeat(rng.random((n, 3)) < 0.5, N_TRIGGER_CELLS // 3, axis=1)
    cut = np.where(thirds, first, second)
    mixed = first + (second * 2.0 ** rng.uniform(-3, 0, (n, 1))).astype(np.int64)
    made = np.where(choice < options.cut, cut, np.where(choice < options.cut + options.mix, mixed, first))
    if options.scale:
        made = (made * 2.0 ** rng.uniform(-options.scale, options.scale, (n, 1))).astype(np.int64)
    made = np.minimum(made, _MAX_CALQ)
    return np.where(made.any(axis=1, keepdims=True), made, first)


def _turn(calq: IntArray, rng: np.random.Generator) -> IntArray:
    turns = np.stack([np.arange(N_TRIGGER_CELLS), ROTATION, ROTATION[ROTATION]])
    return np.take_along_axis(calq, turns[rng.integers(3, size=len(calq))], axis=1)
