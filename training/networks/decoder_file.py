"""A decoder in a file: its options and values, and its size, without building it and thus without TensorFlow."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

from models.arrays import FloatArray
from models.compact_decoder import CompactDecoder
from models.config import DecoderConfig
from models.cost import macs_in_image
from models.errors import InputError, parsing
from models.spec import EncoderSpec
from models.trigger_cells import N_TRIGGER_CELLS
from training.networks.conditions import used_columns
from training.networks.model_file import check_count, read_model

SUM_CONTEXT = 2
"""Number of inputs that tell of the module sum."""
CORRECTION_LAYERS = 2
"""Number of hidden layers of each correction of a decoder that refines."""
CAE_UNITS = (24, 64, 128)
"""Dense layers of the decoder of the conditional autoencoder; its image follows."""
CAE_SIDE, CAE_FILTERS, CAE_KERNEL = 4, 8, 3
"""Image, (side, side, filters), and square kernel of its transposed convolution."""


def read_decoder(path: Path, spec: EncoderSpec) -> tuple[DecoderConfig, FloatArray]:
    """Options and values, flat, of a decoder in floating point; raises InputError if it is for other latents."""
    size, values = read_model(path, "a decoder")
    latents = size.pop("latents", None)
    size.pop("encoder", None)
    if latents != spec.dense.outputs:
        raise InputError(f"{path}: decoder of {str(latents)[:40]} latents, expected {spec.dense.outputs}")
    with parsing(path, "the size of a decoder"):
        options = DecoderConfig.model_validate(size, strict=True)
    check_count(path, values, n_parameters(spec, options), f"a decoder of {options!r}")
    return options, values


def trained_with(path: Path) -> str | None:
    """Digest of the weights that a decoder in a file was trained with; None if the file does not say."""
    if CompactDecoder.is_in(path):
        return CompactDecoder.load(path).encoder
    encoder = read_model(path, "a decoder")[0].get("encoder")
    return encoder if isinstance(encoder, str) else None


def options_in(path: Path) -> DecoderConfig | None:
    """Options of the decoder in a file; None of a compact one."""
    if CompactDecoder.is_in(path):
        return None
    size = read_model(path, "a decoder")[0]
    with parsing(path, "the size of a decoder"):
        return DecoderConfig.model_validate({name: value for name, value in size.items()
                                             if name not in ("latents", "encoder")})


def n_macs(spec: EncoderSpec, options: DecoderConfig) -> int:
    """Multiply-accumulates for one module.

    Networks that several refinements share, and the encoder of guesses, count each time that they are used.
    """
    if options.architecture == "cae":
        dense = sum(before * after for before, after in pairwise((_n_inputs(spec, options), *CAE_UNITS)))
        return dense + CAE_SIDE**2 * CAE_FILTERS * CAE_KERNEL**2
    total, _ = _dense(_n_inputs(spec, options), options.width, options.layers)
    if options.film:
        total += 2 * options.layers * len(used_columns(options.conditions)) * options.width
    correction, _ = _dense(_n_features(spec), options.refinement_width, CORRECTION_LAYERS)
    return options.members * total + options.refinements * (correction + sum(macs_in_image(spec)))


def n_parameters(spec: EncoderSpec, options: DecoderConfig) -> int:
    """Number of weights and biases, computed before building the decoder, as a file may claim any size."""
    n_inputs = _n_inputs(spec, options)
    if options.architecture == "cae":
        dense = sum((before + 1) * after for before, after in pairwise((n_inputs, *CAE_UNITS)))
        return dense + CAE_KERNEL**2 * CAE_FILTERS + 1
    total = sum(_dense(n_inputs, options.width, options.layers))
    if options.film:
        total += 2 * options.layers * (len(used_columns(options.conditions)) + 1) * options.width
    total *= options.members
    if options.refinements:
        correction = sum(_dense(_n_features(spec), options.refinement_width, CORRECTION_LAYERS))
        total += correction * (1 if options.share else options.refinements)
        total += sum(math.prod(shape) for shape in spec.weight_shapes.values())
    return total


def _n_inputs(spec: EncoderSpec, options: DecoderConfig) -> int:
    n_conditions = 0 if options.film else len(used_columns(options.conditions))
    return spec.dense.outputs + (SUM_CONTEXT if options.sees_sum else 0) + n_conditions


def _n_features(spec: EncoderSpec) -> int:
    """Inputs of a correction: see `training.networks.refining`."""
    return 2 * spec.dense.outputs + SUM_CONTEXT + 2 * N_TRIGGER_CELLS + spec.n_hidden


def _dense(units: int, width: int, layers: int) -> tuple[int, int]:
    """Weights and biases of hidden layers and the one of the cells."""
    sizes = (units, *[width] * layers, N_TRIGGER_CELLS)
    return sum(before * after for before, after in pairwise(sizes)), sum(sizes[1:])
