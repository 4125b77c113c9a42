"""Statistics of latents: their range, entropy and saturation over the modules of a file."""

from __future__ import annotations

import numpy as np

from emulator import encode
from models.arrays import IntArray
from models.weights import EncoderWeights
from training.results.latents import N_BINS, Latent, LatentStatistics


def latent_statistics(weights: EncoderWeights, calq: IntArray) -> LatentStatistics | None:
    """Encode charges (n, 48) in image order and summarise the codes; None without modules."""
    if not len(calq):
        return None
    spec = weights.spec
    trace = encode(weights, calq, keep=["latent_code", "hidden_code"])
    hidden = trace["hidden_code"]
    return LatentStatistics(
        n_modules=len(calq), latent_bits=spec.latent_bits,
        latents=tuple(_latent(codes, spec.latent_bits) for codes in trace["latent_code"].T),
        hidden_saturated=float((hidden == spec.conv.output.max_code).mean()), hidden_zero=float((hidden == 0).mean()))


def _latent(codes: IntArray, n_bits: int) -> Latent:
    """Statistics of the codes (n,) of one latent."""
    counts = np.bincount(codes, minlength=1 << n_bits)
    part = counts[counts > 0] / len(codes)
    return Latent(
        least=int(codes.min()), largest=int(codes.max()), n_codes=len(part),
        entropy=float(-(part * np.log2(part)).sum()) + 0.0,  # not -0
        at_zero=float(counts[0] / len(codes)), at_end=float(counts[-1] / len(codes)),
        counts=tuple(counts.reshape(min(N_BINS, len(counts)), -1).sum(axis=1).tolist()))
