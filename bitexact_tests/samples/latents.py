"""Latents and module sums as a decoder sees them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SUMS = np.array([1, 70, 900, 5000, 40000])
"""Module sums of every size."""


def latents(n: int, seed: int = 1) -> npt.NDArray[np.float32]:
    """Values of the 16 latents of n modules, any in 0..1."""
    return np.random.default_rng(seed).random((n, 16), np.float32)
