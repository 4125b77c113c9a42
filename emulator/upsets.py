"""What one wrong bit of the weights does to the encoder's outputs, for all of them, without running it for each.

A weight of the dense layer changes one output by the difference of one product; a weight of the convolution changes the
16 pixels of one filter, and the outputs by the differences of the products of these. Everything else of the run without
fault stays. Bits are counted as in the registers: bit `b` of code `c` of `weights.flat` is number `6 c + b`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emulator.encoder import activate, encode, floored_products, patches_of
from models.arrays import IntArray
from models.fixed_point import FixedPoint

if TYPE_CHECKING:
    from models.spec import LayerFormats
    from models.weights import EncoderWeights



@dataclass(frozen=True)
class Flipped:
    """Outputs of the encoder with one bit of its weights turned around, for several bits of one array.

    bits: (m,) numbers of the bits; outputs: (k,) numbers of the outputs that can change; output_code: (m, n, k) of n
    events.
    """

    bits: IntArray
    outputs: IntArray
    output_code: IntArray


def weight_flips(weights: EncoderWeights, calq: IntArray) -> Iterator[Flipped]:
    """Every single flip of a weight bit, in blocks by filter, then by output; calq: (n, 48) after the mux."""
    trace = encode(weights, calq, keep=["image_code", "conv_sum", "hidden_code", "dense_sum"])
    stages = {name: np.moveaxis(array, 0, -1).astype(np.int64) for name, array in trace.items()}
    yield from _conv_flips(weights, stages)
    yield from _dense_flips(weights, stages)


def flipped_codes(code: IntArray, form: FixedPoint) -> IntArray:
    """Codes (m,) with each of their bits turned around, (m, width)."""
    turned = (code.astype(np.int64)[:, None] & ((1 << form.width) - 1)) ^ (1 << np.arange(form.width))
    return turned - ((turned >> (form.width - 1)) << form.width) if form.signed else turned


def _conv_flips(weights: EncoderWeights, stages: Mapping[str, IntArray]) -> Iterator[Flipped]:
    spec = weights.spec
    conv, dense, n = spec.conv, spec.dense, stages["dense_sum"].shape[-1]
    cut = _cut(dense, conv.output)
    largest = conv.output.max_code * -dense.weight.min_code
    pixels = patches_of(conv, stages["image_code"])
    sums = stages["conv_sum"].reshape(conv.size**2, conv.filters, n)
    hidden = stages["hidden_code"].reshape(conv.size**2, conv.filters, 1, n)
    factors = weights.dense_kernel.reshape(conv.size**2, conv.filters, dense.outputs)
    kernel = weights.conv_kernel.reshape(-1, conv.filters)
    first_bias = kernel.size * conv.weight.width
    for f in range(conv.filters):
        # All but what this filter adds; the products of its new values come in its place.
        others = stages["dense_sum"] - floored_products(hidden[:, f], factors[:, f], cut, largest)[0]
        bits, found = [], []
        for change, bit in _sum_changes(conv, spec.input, kernel[:, f], weights.conv_bias[f : f + 1], pixels):
            turned = activate(conv, spec.input, sums[:, f] + change)[:, None]
            total = others + floored_products(turned, factors[:, f], cut, largest)[0]
            found.append(activate(dense, conv.output, total).T)
            cell, place = divmod(bit, conv.weight.width)
            bits.append((cell * conv.filters + f) * conv.weight.width + place if cell < len(kernel)
                        else first_bias + f * conv.bias.width + bit - len(kernel) * conv.weight.width)
        yield Flipped(np.array(bits), np.arange(dense.outputs), np.stack(found))


def _dense_flips(weights: EncoderWeights, stages: Mapping[str, IntArray]) -> Iterator[Flipped]:
    spec = weights.spec
    conv, dense = spec.conv, spec.dense
    first = weights.conv_kernel.size * conv.weight.width + weights.conv_bias.size * conv.bias.width
    first_bias = first + weights.dense_kernel.size * dense.weight.width
    n_bits = spec.n_hidden * dense.weight.width
    hidden = stages["hidden_code"][:, None]
    for j in range(dense.outputs):
        changes = _sum_changes(dense, conv.output, weights.dense_kernel[:, j], weights.dense_bias[j : j + 1], hidden)
        total = stages["dense_sum"][j] + np.concatenate([change for change, _ in changes])
        bits = np.concatenate([first + j * n_bits + np.arange(n_bits),
                               first_bias + j * dense.bias.width + np.arange(dense.bias.width)])
        yield Flipped(bits, np.array([j]), activate(dense, conv.output, total)[:, :, None])


def _sum_changes(
    layer: LayerFormats, data: FixedPoint, weight: IntArray, bias: IntArray, code: IntArray
) -> Iterator[tuple[IntArray, int]]:
    """By how much each flip changes the sum of one output, and its number: weights (k,) first, then the bias (1,).

    code: (k, pixels, n); yields (pixels, n).
    """
    cut = _cut(layer, data)
    bit = 0
    for old, turned, inputs in zip(weight.astype(np.int64), flipped_codes(weight, layer.weight), code, strict=True):
        product = inputs * old >> cut
        for new in turned:
            yield (inputs * new >> cut) - product, bit
            bit += 1
    bias_shift = layer.product_fraction_bits(data) - layer.bias.fraction_bits
    for new in flipped_codes(bias, layer.bias)[0]:
        yield np.full(code.shape[1:], (new - int(bias[0])) << bias_shift), bit
        bit += 1


def _cut(layer: LayerFormats, data: FixedPoint) -> int:
    return data.fraction_bits + layer.weight.fraction_bits - layer.product_fraction_bits(data)
