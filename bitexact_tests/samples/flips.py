"""Flips of single bits of the weights, and a decoder in which every one of them shows."""

from __future__ import annotations

import numpy as np

from models.weights import EncoderWeights
from rtl.simulation.bench import weight_writes

N_WEIGHT_BITS = 12_864
"""Bits of the weights of the chip."""


def flipped(weights: EncoderWeights, bit: int) -> EncoderWeights:
    """The weights with one bit of the register file turned around, by way of the bytes that are written."""
    writes = [(address, bytearray(data)) for address, data in weight_writes(weights)]
    block, place = divmod(bit, 8 * len(writes[0][1]))
    writes[block][1][place // 8] ^= 1 << place % 8
    text = "".join(f"{byte:08b}"[::-1] for _, data in writes for byte in data)
    codes = [int(text[i : i + 6][::-1], 2) for i in range(0, len(text), 6)]
    return EncoderWeights.from_flat(weights.spec, np.array([code - 64 if code > 31 else code for code in codes]))


def some_bits(n: int, seed: int) -> np.ndarray:
    """Bits of every array: all of the biases, some of the rest."""
    kernel, bias, rng = 72 * 6, 8 * 6, np.random.default_rng(seed)
    biases = [np.arange(kernel, kernel + bias), np.arange(N_WEIGHT_BITS - 96, N_WEIGHT_BITS)]
    return np.unique(np.concatenate([*biases, rng.integers(0, kernel, n // 4), rng.integers(0, N_WEIGHT_BITS, n)]))


def fake_decode(latent: np.ndarray, module_sum: np.ndarray) -> np.ndarray:
    """Charge fractions that depend on every latent and on the sum."""
    cells = np.arange(48)
    weight = 1 + np.cos(np.outer(cells, np.arange(1, latent.shape[1] + 1)))
    return latent @ weight.T + (np.log1p(module_sum)[:, None] + cells) % 5 + 0.1
