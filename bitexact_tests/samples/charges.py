"""Charges of modules for chip, RTL and emulator."""

from __future__ import annotations

import numpy as np

from models.trigger_cells import CALQ_BITS


def charges(n: int, seed: int) -> np.ndarray:
    """Realistic, extreme and empty modules in turn."""
    rng = np.random.default_rng(seed)
    calq = rng.integers(0, 500, (n, 48)) * (rng.random((n, 48)) < rng.random((n, 1)))
    calq[1::8] = rng.integers(0, 1 << CALQ_BITS, calq[1::8].shape)
    calq[3::16] = (1 << CALQ_BITS) - 1
    calq[5::16] = 0
    one = np.eye(48, dtype=np.int64)[rng.integers(0, 48, len(calq[7::16]))]
    calq[7::16] = one << rng.integers(0, CALQ_BITS, (len(one), 1))
    return calq


def charges_of_any_size(seed: int, n: int) -> np.ndarray:
    """Charges of every size, many equal, some zero, some far above what a code can say."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 23, (n, 1))
    calq = rng.integers(0, 1 << 22, (n, 48)) >> (22 - rng.integers(0, bits + 1, (n, 48)))
    return np.where(rng.random((n, 48)) < rng.random((n, 1)), calq & ~rng.integers(0, 8, (n, 1)), 0)
