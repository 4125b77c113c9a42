"""A signed encoder in the chip's range: what its latents tell, without negative values.

The chip's ReLU cuts what is below 0. A decoder that is trained anew reads a latent as well if it is mirrored, shifted
or scaled. So filters and outputs that are mostly negative are mirrored, all are scaled to what their weights and
formats hold, and biases put the lowest sums of the chip, which cuts its products, at 0. Of a few ways to do so, the one
is taken whose sent latents tell most of the encoder's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from emulator import encode
from emulator.encoder import normalise, patches_of
from models.arrays import BoolArray, Float64Array, FloatArray, IntArray
from models.foreign.reference import latents
from models.keras_file import ImportedEncoder
from models.spec import EncoderSpec, LayerFormats
from models.weights import EncoderWeights

MOST_MODULES = 2048
"""Modules on which ranges are measured."""
_CUT = (0.0, 0.01, 0.1)
"""Parts of the sums of a filter or an output that may stay below 0."""
_GAINS = (1.0, 2.0, 4.0)
"""Factors of the filters: larger hidden values lose less to the cut of products, but rows of the dense layer shrink."""


@dataclass(frozen=True)
class InRange:
    """Weights in the chip's range: which filters and outputs are mirrored, and how much of its own latents they tell.

    `explained_before`: the same of the codes as they were imported. Both are None if the network is not known. `back`:
    factors (k, k) and shifts (k,) that make of the latents sent the encoder's own, as far as linear functions can; None
    if they are its own.
    """

    weights: EncoderWeights
    filters_mirrored: int
    outputs_mirrored: int
    explained_before: float | None
    explained: float | None
    back: tuple[FloatArray, FloatArray] | None = None


def into_range(imported: ImportedEncoder, calq: IntArray) -> InRange:
    """Bring an encoder with signed layers into the chip's range, measured on charges (n, 48) in image order.

    One without signed layers, or whose network is not known, stays as it is. Raises InputError if its network cannot be
    run.
    """
    calq, spec = calq[:MOST_MODULES], imported.weights.spec
    if imported.network is None:
        return InRange(imported.weights, 0, 0, None, None)
    own = latents(imported.network, encode(imported.weights, calq, keep=["image_code"])["image_code"], spec.input)
    before = explained(own, _sent(imported.weights, calq))
    best = InRange(imported.weights, 0, 0, before, before)
    if not imported.signed:
        return best
    hidden = product(_CUT, _GAINS) if "conv" in imported.signed else [(None, 1.0)]
    for cut, gain in hidden:
        layer = _convolution(spec, imported.values, calq, cut, gain)
        for last in _CUT if "dense" in imported.signed else [None]:
            weights, mirrored = _dense(spec, imported.values, calq, layer, last)
            found = explained(own, _sent(weights, calq))
            if best.explained is None or found > best.explained:
                best = InRange(weights, int(layer.mirrored.sum()), int(mirrored.sum()), before, found)
    return replace(best, back=linear_map(own, _sent(best.weights, calq)))


def explained(own: FloatArray, sent: FloatArray) -> float:
    """Part of the variance of latents (n, k) that linear functions of others (n, m) explain, mean over the latents.

    Latents that never change do not count.
    """
    deviation = own - own.mean(axis=0)
    changes = deviation.std(axis=0) > 0
    if not changes.any():
        return 0.0
    deviation = deviation[:, changes] / deviation[:, changes].std(axis=0)
    factor, shift = linear_map(deviation, sent)
    return float(1 - ((deviation - sent @ factor - shift) ** 2).mean())


def linear_map(own: FloatArray, sent: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factors (m, k) and shifts (k,) that make of latents (n, m) the closest to others (n, k)."""
    found = np.linalg.lstsq(np.column_stack([sent, np.ones(len(sent))]), own, rcond=None)[0]
    return found[:-1], found[-1]


@dataclass(frozen=True)
class _Convolution:
    """Codes of the convolution, and what its hidden values are of those of the network: factor * (sign * h + shift)."""

    kernel: IntArray
    bias: IntArray
    mirrored: BoolArray
    factor: FloatArray
    shift: FloatArray


def _convolution(
    spec: EncoderSpec, values: Mapping[str, Float64Array], calq: IntArray, cut: float | None, gain: float
) -> _Convolution:
    """`cut`: None for a convolution with a ReLU of its own, which is only scaled into the range of its weights."""
    conv = spec.conv
    kernel, bias = values["conv_kernel"].reshape(-1, conv.filters), values["conv_bias"]
    image = spec.input.value(normalise(spec.input, calq.T.astype(np.int64))[2])
    sums = np.einsum("kpn,kf->pnf", patches_of(conv, image), kernel).reshape(-1, conv.filters)  # type: ignore[arg-type]
    mirrored, factor, shift = _fit(conv, kernel, bias, sums, cut, gain)
    sign = np.where(mirrored, -1.0, 1.0)
    codes = conv.weight.quantize(kernel * sign * factor).reshape(spec.weight_shapes["conv_kernel"])
    if cut is None:
        return _Convolution(codes, conv.bias.quantize(bias * factor), mirrored, factor, shift)
    start = _weights(spec, conv_kernel=codes)
    sums_of_chip = encode(start, calq, keep=["conv_sum"])["conv_sum"].reshape(-1, conv.filters)
    chip = sums_of_chip * 2.0**-conv.product_fraction_bits(spec.input)
    found = conv.bias.quantize(-np.quantile(chip, cut, axis=0))
    # Of the sums that the chip has now, in units of the network's own.
    shift = (chip + conv.bias.value(found) - (sums * sign * factor)).mean(axis=0) / factor
    return _Convolution(codes, found, mirrored, factor, shift - bias * sign)


def _dense(
    spec: EncoderSpec, values: Mapping[str, Float64Array], calq: IntArray, conv: _Convolution, cut: float | None
) -> tuple[EncoderWeights, BoolArray]:
    """All weights, and which outputs are mirrored; `cut`: None for an output with a ReLU of its own."""
    dense = spec.dense
    sign = np.where(conv.mirrored, -1.0, 1.0)
    rows = values["dense_kernel"].reshape(-1, len(sign), dense.outputs)
    bias = values["dense_bias"] - np.einsum("pfo,f->o", rows, sign * conv.shift)
    kernel = (rows * (sign / conv.factor)[:, None]).reshape(-1, dense.outputs)
    start = _weights(spec, conv_kernel=conv.kernel, conv_bias=conv.bias)
    hidden = spec.conv.output.value(encode(start, calq, keep=["hidden_code"])["hidden_code"])
    sums = hidden @ kernel
    mirrored, factor, _ = _fit(dense, kernel, bias, sums, cut, np.inf)
    kernel = kernel * np.where(mirrored, -1.0, 1.0) * factor
    start = _weights(spec, conv_kernel=conv.kernel, conv_bias=conv.bias, dense_kernel=dense.weight.quantize(kernel))
    chip = encode(start, calq, keep=["dense_sum"])["dense_sum"] * 2.0**-dense.product_fraction_bits(spec.conv.output)
    wanted = (factor * (sums + bias) - chip).mean(axis=0) if cut is None else -np.quantile(chip, cut, axis=0)
    return _weights(spec, conv_kernel=conv.kernel, conv_bias=conv.bias, dense_kernel=start.dense_kernel,
                    dense_bias=dense.bias.quantize(wanted)), mirrored


def _fit(
    layer: LayerFormats, kernel: FloatArray, bias: FloatArray, sums: FloatArray, cut: float | None, gain: float
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Which sums (n, m) without bias are mirrored, the factor of each, at most `gain`, and the shift.

    The factor is the largest with which weights, bias and sums stay in their formats.
    """
    largest = layer.output.max_code * layer.output.lsb
    weight, most = (form.max_code * form.lsb for form in (layer.weight, layer.bias))
    with np.errstate(divide="ignore"):  # kernels of 0
        factor = weight / np.abs(kernel).max(axis=0)
        if cut is None:
            factor = np.minimum(factor, most / np.maximum(np.abs(bias), 1e-9))
            return np.zeros(len(bias), dtype=bool), np.minimum(factor, 1.0), np.zeros(len(bias))
        low, high = np.quantile(sums, cut, axis=0), np.quantile(sums, 1 - cut, axis=0)
        mirrored = -low > high
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        factor = np.minimum(factor, largest / np.maximum(high - np.minimum(low, 0), 1e-9))
        factor = np.minimum(factor, most / np.maximum(-low, 1e-9))
    return mirrored, np.where(kernel.any(axis=0), np.minimum(factor, gain), 1.0), np.maximum(-low, 0)


def _sent(weights: EncoderWeights, calq: IntArray) -> FloatArray:
    return weights.spec.latent.value(encode(weights, calq, keep=["latent_code"])["latent_code"])


def _weights(spec: EncoderSpec, **arrays: IntArray) -> EncoderWeights:
    """Weights with 0 where nothing is given."""
    return EncoderWeights(spec, **{name: arrays.get(name, np.zeros(shape, np.int64))
                                   for name, shape in spec.weight_shapes.items()})
