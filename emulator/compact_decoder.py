"""The compact decoder in integers, written from its number formats: latents and module sum in, charges out.

It is off the chip, but it is the reference for its own C++ and RTL as the encoder's emulator is for the chip's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.arrays import Int64Array, IntArray

if TYPE_CHECKING:  # the emulator itself needs NumPy alone
    from models.compact_decoder import CompactDecoder, CompactSpec

_INPUT_BITS, _MANTISSA_BITS = 9, 4


def input_codes(spec: CompactSpec, latent_code: IntArray, sum_code: IntArray) -> Int64Array:
    """Inputs of the first layer from fields of the frame: (n, latents) and (n,) -> (n, latents + 2) codes of 9 bits.

    Latents, and the mantissa of the module sum, are aligned to the highest bit; the code of the sum is what it is.
    """
    latent, total = np.asarray(latent_code, np.int64), np.asarray(sum_code, np.int64)
    mantissa = total & (1 << _MANTISSA_BITS) - 1
    return np.column_stack([latent << _INPUT_BITS - spec.latent.width, total,
                            mantissa << _INPUT_BITS - 1 - _MANTISSA_BITS])


def trace(decoder: CompactDecoder, input_code: IntArray) -> dict[str, Int64Array]:
    """Codes of each stage, by name: sums `sum_0` and outputs `output_0` of the first layer (n, units), and so on.

    input_code: (n, latents + 2), the result of `input_codes`.
    """
    stages, code = {}, np.asarray(input_code, np.int64)
    for index, (layer, kernel, bias) in enumerate(decoder.layers()):
        fraction_bits = decoder.spec.data[index].fraction_bits + layer.weight.fraction_bits
        aligned = bias.astype(np.int64) << fraction_bits - layer.bias.fraction_bits
        # Float64 holds such sums exactly (a spec allows 25 bits), in any order, and NumPy multiplies it much faster.
        product = code.astype(np.float64) @ kernel.astype(np.float64)
        stages[f"sum_{index}"] = product.astype(np.int64) + aligned
        code = layer.output.requantize(np.maximum(stages[f"sum_{index}"], 0), fraction_bits)
        stages[f"output_{index}"] = code
    return stages


def charge_codes(decoder: CompactDecoder, latent_code: IntArray, sum_code: IntArray) -> Int64Array:
    """Charge of each trigger cell (n, 48), in units of the module sum over 2^k: see `models.compact_decoder`."""
    stages = trace(decoder, input_codes(decoder.spec, latent_code, sum_code))
    return stages[f"output_{len(decoder.spec.layers) - 1}"]
