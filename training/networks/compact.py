"""Compact decoders in the place of decoders in floating point.

Unlike an FPGA, software can divide: here, charges are normalised to fractions that sum to 1, as other decoders return
them.
"""

from __future__ import annotations

import numpy as np

from emulator.codes import FINE_SUM
from emulator.compact_decoder import charge_codes, input_codes
from models.arrays import Float64Array, FloatArray, IntArray
from models.compact_decoder import INPUT, CompactDecoder, CompactSpec


def input_values(spec: CompactSpec, latent_code: IntArray, module_sum: IntArray) -> FloatArray:
    """Inputs of the model (n, latents + 2) from latents (n, latents) and module sums (n,)."""
    values: FloatArray = INPUT.value(input_codes(spec, latent_code, FINE_SUM.encode(module_sum))).astype(np.float32)
    return values


def compact_fractions(decoder: CompactDecoder, latent_value: FloatArray, module_sum: IntArray) -> Float64Array:
    """Decode latents (n, latents) and module sums (n,) in integers to charge fractions (n, 48).

    A map without any charge stays empty.
    """
    latent_code = decoder.spec.latent.exact(latent_value, "latent")
    charge = charge_codes(decoder, latent_code, FINE_SUM.encode(module_sum))
    fractions: Float64Array = charge / np.maximum(charge.sum(axis=1), 1)[:, None]
    return fractions
