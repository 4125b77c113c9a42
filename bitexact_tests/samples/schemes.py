"""Schemes of the chip, and modules that they are tried on."""

from __future__ import annotations

import numpy as np

from models.trigger_cells import image_order
from training.physics.schemes import Scheme, classical_schemes
from training.production.toy import generate

LINKS = (2, 3, 4, 5)
CALQ = generate(400, seed=11)[:, np.argsort(image_order())].astype(np.int64)
"""Modules in trigger-cell order; every seventh is empty: such bunch crossings belong to a run."""
CALQ[::7] = 0


def scheme(name: str, n_elinks: int, dropped_bits: int = 0, thresholds: tuple[int, ...] = (47,)) -> Scheme:
    """The scheme of this name."""
    return next(one for one in classical_schemes(n_elinks, dropped_bits, thresholds) if one.name == name)
