"""Layers with given weights as constants: adders alone, by da4ml, in the arithmetic of the spec.

The chip's weights are registers. Where an FPGA can be rebuilt for new weights, constants take far less logic: da4ml
writes products as shifts and adds and finds sums that several products share. Cut products are cut here too, each with
its own floor, so the layers equal those of the chip bit for bit. A compact decoder, with exact products, is made in the
same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from da4ml.trace import FixedVariableArray, HWConfig, comb_trace, to_pipeline

from models.arrays import IntArray
from models.compact_decoder import INPUT, MANTISSA_BITS, CompactDecoder
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.spec import LayerFormats
from models.trigger_cells import N_TRIGGER_CELLS
from models.weights import EncoderWeights
from rtl.design.encoder import live_cells

Number = Any
"""A variable of da4ml, or an int if it is constant."""
Place = tuple[list[Number], IntArray]
"""Input codes and their weights, (codes, neurons)."""

_STAGES = 2  # unless another number is asked for
_HARDWARE = HWConfig(1, -1, -1)  # costs in look-up tables per adder bit, delays in adders


@dataclass(frozen=True)
class ConstantLayers:
    """Logic of the two layers of an encoder, or of all layers of a compact decoder.

    From the input codes of the 48 channels to the output codes of the dense layer; or from the latents and the code of
    the module sum to the charges.
    """

    input_bits: tuple[int, ...]
    """Bits of each input."""
    logic: Any
    """da4ml's CombLogic, in which all numbers are integer codes."""

    @classmethod
    def trace(cls, weights: EncoderWeights | CompactDecoder) -> ConstantLayers:
        """Trace the layers with these weights through da4ml's arithmetic."""
        return cls._decoder(weights) if isinstance(weights, CompactDecoder) else cls._encoder(weights)

    @classmethod
    def _decoder(cls, decoder: CompactDecoder) -> ConstantLayers:
        spec = decoder.spec
        input_bits = (*[spec.latent.width] * spec.n_latents, INPUT.width)
        inputs = _inputs(input_bits)
        *latents, total = (inputs[k] for k in range(len(input_bits)))
        mantissa = total.quantize(0, MANTISSA_BITS, 0, "WRAP")
        codes = [latent * 2.0 ** (INPUT.width - spec.latent.width) for latent in latents]
        codes += [total, mantissa * 2.0 ** (INPUT.fraction_bits - MANTISSA_BITS)]
        for (layer, kernel, bias), data in zip(decoder.layers(), spec.data, strict=True):
            codes = _layer(layer, data, [(codes, kernel)], bias)
        return cls(input_bits, comb_trace(inputs, codes, keep_dead_inputs=True))

    @classmethod
    def _encoder(cls, weights: EncoderWeights) -> ConstantLayers:
        spec = weights.spec
        input_bits = (spec.input.width,) * N_TRIGGER_CELLS
        image = _inputs(input_bits)
        kernel = weights.conv_kernel.reshape(-1, spec.conv.filters)
        pixels = [([image[channel] for _, channel in cells], kernel[[cell for cell, _ in cells]])
                  for cells in live_cells(spec)]
        hidden = _layer(spec.conv, spec.input, pixels, weights.conv_bias)
        outputs = _layer(spec.dense, spec.conv.output, [(hidden, weights.dense_kernel)], weights.dense_bias)
        return cls(input_bits, comb_trace(image, outputs, keep_dead_inputs=True))

    def emulate(self, input_code: IntArray) -> IntArray:
        """Run da4ml's own integer model: input codes (n, inputs) -> output codes (n, outputs)."""
        found: IntArray = self.logic.predict(input_code.astype(np.float64)).astype(np.int64)
        return found

    def pipelined(self, stages: int | None = None) -> Any:
        """da4ml's Pipeline with registers before, between and after `stages` parts of about equal depth.

        None is two, or one where the longest path has fewer than two adders. Raises InputError if there are more stages
        than adders in the longest path.
        """
        depth = max(self.logic.latency)
        if stages is None:
            stages = int(min(_STAGES, max(depth, 1)))
        if not 1 <= stages <= max(depth, 1):
            raise InputError(f"--stages {stages}, expected 1 to {max(depth, 1):g}: the longest path has {depth:g} "
                             "adders")
        return to_pipeline(self.logic, max(math.ceil(depth / stages), 1), verbose=False)


def _inputs(bits: Sequence[int]) -> Any:
    """Unsigned integers of these widths, as variables of da4ml."""
    width = np.array(bits)
    return FixedVariableArray.from_kif(0 * width, width, 0 * width, hwconf=_HARDWARE)


def _layer(layer: LayerFormats, data: FixedPoint, places: list[Place], bias: IntArray) -> list[Number]:
    """Codes of one neuron for each column of weights of each place, in order."""
    fraction_bits = layer.product_fraction_bits(data)
    cut = data.fraction_bits + layer.weight.fraction_bits - fraction_bits
    totals = _floored(places, cut) if cut else [total for place in places for total in _exact(*place)]
    shifted = bias.astype(int) << fraction_bits - layer.bias.fraction_bits
    return [_activate(layer, fraction_bits, total + int(b))
            for total, b in zip(totals, np.tile(shifted, len(places)), strict=True)]


def _floored(places: list[Place], cut: int) -> list[Number]:
    """Sums of cut products: a code meets few distinct weights, so that each product is made and cut only once."""
    codes: dict[Any, Number] = {}
    weights: dict[Any, set[int]] = {}
    for inputs, weight in places:
        for code, row in zip(inputs, weight, strict=True):
            if not isinstance(code, int):
                codes[code.id] = code
                weights.setdefault(code.id, set()).update(int(w) for w in row if w)
    products: dict[tuple[Any, int], Number] = {}
    for key, distinct in weights.items():
        if not distinct:
            continue
        factors = np.array(sorted(distinct))
        multiples = FixedVariableArray(np.array([codes[key]])) @ factors[None, :].astype(np.float64)
        products |= {(key, w): _shifted_right(multiple, cut)
                     for w, multiple in zip(factors.tolist(), multiples._vars, strict=True)}

    def product(code: Number, w: int) -> Number:
        return code * w >> cut if isinstance(code, int) else products[code.id, w] if w else 0

    return [_sum([product(code, int(w)) for code, w in zip(inputs, column, strict=True)])
            for inputs, weight in places for column in weight.T]


def _exact(inputs: list[Number], weight: IntArray) -> list[Number]:
    """Sums of exact products, as one matrix product in which da4ml finds what columns share."""
    known = np.array([isinstance(code, int) for code in inputs], dtype=bool)
    constants = np.array([code for code in inputs if isinstance(code, int)], dtype=np.int64) @ weight[known].astype(int)
    variables = [code for code in inputs if not isinstance(code, int)]
    if not variables:
        return [int(c) for c in constants]
    sums = FixedVariableArray(np.array(variables)) @ weight[~known].astype(np.float64)
    return [total + int(c) for total, c in zip(sums._vars, constants, strict=True)]


def _shifted_right(number: Number, n: int) -> Number:
    """floor(number / 2^n)."""
    if isinstance(number, int):
        return number >> n
    signed, integer_bits, fraction_bits = number.kif
    if fraction_bits <= -n:
        return number * 2.0**-n
    if integer_bits <= n and not signed:
        return 0
    return number.quantize(signed, max(integer_bits, n), -n) * 2.0**-n


def _sum(terms: list[Number]) -> Number:
    """The sum as a tree that first adds what is ready first."""
    constant = sum(term for term in terms if isinstance(term, int))
    variables = [term for term in terms if not isinstance(term, int)]
    return np.sum(FixedVariableArray(np.array(variables))) + constant if variables else constant


def _activate(layer: LayerFormats, fraction_bits: int, total: Number) -> Number:
    """ReLU, then rounding and overflow of the output format."""
    output, shift = layer.output, fraction_bits - layer.output.fraction_bits
    if isinstance(total, int):
        return int(output.requantize(np.array(max(total, 0)), fraction_bits))
    positive = total.relu()
    if output.rounding == "half_even" and shift:
        # Half to even: add half an LSB less one, plus one more when the kept part is odd.
        odd = positive.quantize(0, shift + 1, -shift) * 2.0**-shift
        positive = positive + ((1 << shift - 1) - 1) + odd
    kept = _shifted_right(positive, shift)
    if isinstance(kept, int):
        return kept
    return kept.quantize(0, output.width, 0, "SAT" if output.overflow == "saturate" else "WRAP")
