"""Exact ranges of the accumulators of an encoder with given weights: what can be reached by any input, and no more.

A sum of products of independent inputs reaches its ends where each product reaches its own, so interval arithmetic over
the table of all products is exact for the convolution, whose input codes are independent. For the dense layer the range
of each hidden value is that of its filter; the bound is safe and, as hidden values share charges, not always reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import Int64Array
from models.fixed_point import FixedPoint
from models.spec import LayerFormats
from models.weights import EncoderWeights


@dataclass(frozen=True)
class Interval:
    """Lowest and highest accumulator codes, one per output of a layer."""

    low: Int64Array
    high: Int64Array
    accumulator: FixedPoint

    @property
    def fits(self) -> bool:
        """No input overflows the accumulator."""
        return bool((self.low >= self.accumulator.min_code).all() and (self.high <= self.accumulator.max_code).all())

    @property
    def bits(self) -> int:
        """Width of the narrowest two's complement accumulator that holds every sum."""
        low, high = min(int(self.low.min()), 0), max(int(self.high.max()), 0)
        return 1 + max((-low - 1).bit_length() if low else 0, high.bit_length())


def accumulator_ranges(weights: EncoderWeights) -> Mapping[str, Interval]:
    """Ranges of `conv_sum` (filters,) over all positions and of `dense_sum` (outputs,)."""
    spec = weights.spec
    conv, dense = spec.conv, spec.dense
    kernel = weights.conv_kernel.reshape(-1, conv.filters)
    inputs = np.full(len(kernel), spec.input.max_code)
    low, high = _sum_range(conv, spec.input, inputs, kernel, weights.conv_bias)
    fraction_bits = conv.product_fraction_bits(spec.input)
    # Activation never falls where the sum rises, unless the output wraps: then any code is possible.
    hidden = conv.output.requantize(np.maximum(high, 0), fraction_bits)
    if conv.output.overflow == "wrap":
        hidden = np.where(np.maximum(high, 0) >> (fraction_bits - conv.output.fraction_bits) > conv.output.max_code,
                          conv.output.max_code, hidden)
    highest = np.tile(hidden, spec.n_hidden // conv.filters)
    dense_low, dense_high = _sum_range(dense, conv.output, highest, weights.dense_kernel, weights.dense_bias)
    return {
        "conv_sum": Interval(low, high, spec.conv_accumulator),
        "dense_sum": Interval(dense_low, dense_high, spec.dense_accumulator),
    }


def _sum_range(
    layer: LayerFormats, data: FixedPoint, highest: npt.NDArray[np.integer[Any]], weight: npt.NDArray[np.integer[Any]],
    bias: npt.NDArray[np.integer[Any]],
) -> tuple[Int64Array, Int64Array]:
    """Lowest and highest sum per output for inputs 0..highest (k,); weight (k, m), bias (m,)."""
    fraction_bits = layer.product_fraction_bits(data)
    cut = data.fraction_bits + layer.weight.fraction_bits - fraction_bits
    # A cut product is monotonic in its input: it is extreme at 0 or at the highest code.
    ends = weight.astype(np.int64) * highest[:, None] >> cut
    aligned = bias.astype(np.int64) << (fraction_bits - layer.bias.fraction_bits)
    return np.minimum(ends, 0).sum(axis=0) + aligned, np.maximum(ends, 0).sum(axis=0) + aligned
