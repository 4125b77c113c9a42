"""A decoder from elsewhere as the first weights of ours, where its layers are ours.

Its first layer reads the latents of its own encoder. Where those were mirrored, shifted and scaled to bring the encoder
into the chip's range, that layer takes the linear way back. Inputs that ours has and it has not begin with weights of
0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import FloatArray
from models.config import CONDITIONS, DecoderConfig
from models.errors import InputError
from models.spec import EncoderSpec
from training.networks.conditions import COLUMNS, SOFTWARE_LAYERS, used_columns
from training.networks.decoder import build_decoder, context
from training.networks.decoder_file import options_in
from training.networks.decoding import decode, load_decoder
from training.networks.foreign_decoder import N_LATENTS, ForeignDecoder, read_decoder

Back = tuple[FloatArray, FloatArray]
"""Factors (k, k) and shifts (k,) that make of latents as sent those that the decoder was trained with."""

_TRIED = 64  # random latents on which both must agree
_FEWEST_CHARGE, _LARGEST_DIFFERENCE = 0.1, 1e-3


def read_start_decoder(path: Path, spec: EncoderSpec, options: DecoderConfig, back: Back | None = None) -> Any:
    """The decoder in a file, of this project or of Keras, as one of ours with these options.

    Raises InputError if it has other layers than a decoder of these options, or computes something else.
    """
    if path.suffix == ".npz":
        if options_in(path) != options:
            raise InputError(f"{path}: decoder of other options than training.decoder, expected the same")
        return load_decoder(path, spec)
    foreign = read_decoder(path)
    if options.architecture != "cae" or spec.dense.outputs != N_LATENTS:
        raise InputError(f"{path}: a decoder from elsewhere; expected training.decoder.architecture cae and "
                         f"{N_LATENTS} latents, as its layers can only begin equal ones")
    seen = used_columns(options.conditions)
    unseen = [name for name in CONDITIONS if not set(range(8)[COLUMNS[name]]) <= set(seen)]
    if foreign.width > N_LATENTS and unseen:
        raise InputError(f"{path}: sees {', '.join(unseen)} too; expected training.decoder.conditions "
                         f"[{','.join(CONDITIONS)}]")
    model = build_decoder(spec, options, 0)
    ours = model.get_weights()
    if [one.shape for one in foreign.arrays[1:]] != [one.shape for one in ours[1:]]:
        raise InputError(f"{path}: arrays of {_shapes(foreign.arrays[1:])} behind the first, expected "
                         f"{_shapes(ours[1:])}")
    model.set_weights(_first(foreign, ours, options, seen, None))
    difference = _difference(foreign, model, spec)
    if difference > _LARGEST_DIFFERENCE:
        raise InputError(f"{path}: arrays of the same shapes, but fractions that differ by {difference:.2g}; expected "
                         "dense layers, a transposed convolution and a ReLU behind each, without quantisers")
    model.set_weights(_first(foreign, ours, options, seen, back))
    return model


def _first(
    foreign: ForeignDecoder, ours: list[FloatArray], options: DecoderConfig, seen: list[int], back: Back | None
) -> list[FloatArray]:
    """All arrays, those of the first layer by the inputs of ours: latents, context of the sum, conditions."""
    theirs, bias = foreign.arrays[0], foreign.arrays[1]
    latents = theirs[:N_LATENTS]
    if back:
        factor, shift = back
        latents, bias = factor @ latents, bias + shift @ latents
    kernel = np.zeros_like(ours[0])
    kernel[:N_LATENTS] = latents
    if foreign.width > N_LATENTS:
        start = N_LATENTS + (context(np.ones(1, np.int64)).shape[1] if options.sees_sum else 0)
        kernel[start:] = theirs[N_LATENTS:][seen]
    return [kernel, bias, *foreign.arrays[2:]]


def _difference(foreign: ForeignDecoder, model: Any, spec: EncoderSpec) -> float:
    """Largest difference of a fraction for random latents and conditions, where there is charge to speak of."""
    rng = np.random.default_rng(1)
    value = spec.latent.value(rng.integers(0, spec.latent.max_code + 1, (_TRIED, N_LATENTS)))
    module_sum = rng.integers(1, 100_000, _TRIED)
    columns: Mapping[str, npt.NDArray[Any]] = {
        "eta": rng.uniform(1.5, 3.0, _TRIED), "waferu": rng.integers(0, 12, _TRIED),
        "waferv": rng.integers(0, 12, _TRIED), "wafertype": rng.integers(0, 3, _TRIED),
        "layer": rng.integers(1, SOFTWARE_LAYERS + 1, _TRIED)}
    charge = foreign.cells(value, module_sum, columns).sum(axis=1)
    there = charge > _FEWEST_CHARGE
    if not there.any():
        return float("inf")
    expected = foreign.fractions(value, module_sum, columns)
    return float(np.abs(decode(model, value, module_sum, columns) - expected)[there].max())


def _shapes(arrays: Any) -> str:
    return ", ".join("x".join(map(str, one.shape)) for one in arrays) or "no shape"
