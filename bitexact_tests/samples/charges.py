"""Charges of modules, and maps of charge as a decoder gives them."""

from __future__ import annotations

import numpy as np

from models.trigger_cells import CALQ_BITS
from training.production.toy import generate


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


def maps(received: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of charge maps; 14 cells are BC on 5 links, 48 are any decoder."""
    true = generate(n, 1).astype(np.float64)
    if received == "14 largest cells":
        return true, np.where(true >= np.sort(true, axis=1)[:, [-14]], true, 0.0)
    return true, true * 0.7 + true.mean(axis=1, keepdims=True) * np.random.default_rng(1).random(true.shape)
