"""Import of a trained encoder from the files of other programs, quantised to the chip's codes.

A file that says its architecture is read by it: quantisers, batch normalisation, order of the channels. In a file of
arrays alone they are found by their shapes, because their names differ from version to version of Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from models.arrays import Float64Array, FloatArray, Int64Array
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.foreign.encoder import EncoderValues, read_encoder
from models.foreign.files import open_encoder
from models.foreign.layers import Layer, Network
from models.foreign.untrained import looks_untrained
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from models.wording import counted

_LONGEST = 16  # bits of weights that are kept as int16

Rounding = Literal["nearest", "floor"]
DenseOrder = Literal["output", "input"]


@dataclass(frozen=True)
class ImportedArray:
    """What quantising did to one array."""

    name: str
    source: str
    n_values: int
    n_rounded: int
    """Values that were no multiple of the LSB."""
    n_clipped: int
    """Values beyond the range of the format."""
    largest_change: float


@dataclass(frozen=True)
class ImportedEncoder:
    """Codes out of a foreign file, and what is to be known of them."""

    weights: EncoderWeights
    arrays: list[ImportedArray]
    notes: list[str] = field(default_factory=list)
    """A line each: where the architecture is from, what was assumed, folded, reordered."""
    warnings: list[str] = field(default_factory=list)
    network: Network | None = None
    """The network that the file describes; None of a file of arrays alone."""
    values: Mapping[str, Float64Array] = field(default_factory=dict)
    """The arrays before they were quantised to codes."""
    signed: frozenset[str] = frozenset()
    """Layers, `conv` or `dense`, that give negative values, which the chip's ReLU cuts."""


def import_keras(path: str | Path, spec: EncoderSpec) -> tuple[EncoderWeights, list[ImportedArray]]:
    """The encoder of a Keras file: codes, and what was rounded or clipped. See `import_encoder`."""
    imported = import_encoder(path, spec)
    return imported.weights, imported.arrays


def import_encoder(
    path: str | Path,
    spec: EncoderSpec,
    architecture: str | Path | None = None,
    rounding: Rounding = "nearest",
    dense_order: DenseOrder = "output",
    approximate: bool = False,
) -> ImportedEncoder:
    """Read an encoder from a Keras file, SavedModel folder or frozen graph.

    rounding: `nearest` (half to even, as QKeras) or `floor`; values beyond the range saturate.
    dense_order: `input` takes the dense kernel for the registers as it lies in the file, by input, as the tool that
    wrote the published `init.yaml` of the float encoder did; the chip reads it by output.
    approximate: take activations that differ from the chip's all the same.

    Raises InputError if the file is unreadable, holds no encoder, or one that the chip cannot be, naming layer and
    reason.
    """
    path = Path(path)
    found = open_encoder(path, Path(architecture) if architecture else None, spec.dense.outputs)
    network = found if isinstance(found, Network) else None
    try:
        values = by_shape(found, spec) if isinstance(found, dict) else read_encoder(found, spec, approximate)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    codes, report = {}, []
    for name, form in spec.weight_formats.items():
        if not np.isfinite(values.arrays[name]).all():
            index = [int(i) for i in np.argwhere(~np.isfinite(values.arrays[name]))[0]]
            raise InputError(f"{path}: {values.sources[name]}{index} is not finite, expected a number")
        codes[name], row = _quantise(name, values.sources[name], values.arrays[name], form, rounding)
        report.append(row)
    if dense_order == "input":
        kernel = codes["dense_kernel"]
        codes["dense_kernel"] = kernel.ravel().reshape(kernel.shape[::-1]).T
        values.notes.append("dense kernel laid into the registers by input: not the network of the file")
    notes = [f"architecture: {network.source}", *values.notes] if network else values.notes
    warnings = [*values.differences, *(_inexact(row, values, spec) for row in report if row.name in values.processed)]
    warnings.append(looks_untrained(values.trained) or "")
    return ImportedEncoder(EncoderWeights(spec, **codes), report, notes, list(filter(None, warnings)), network,
                           values.arrays, frozenset(values.signed))


def _inexact(row: ImportedArray, values: EncoderValues, spec: EncoderSpec) -> str:
    """What a quantiser or a normalisation made that the chip cannot hold."""
    if not row.n_rounded and not row.n_clipped:
        return ""
    form = _exact_format(values.arrays[row.name])
    clipped = f", {row.n_clipped} are out of its range" if row.n_clipped else ""
    return (f"{row.name}: {row.n_rounded} of {row.n_values} values of the network are not codes of "
            f"{str(spec.weight_formats[row.name]).split()[0]}{clipped}" + (f"; {form} holds all" if form else ""))


def _exact_format(values: Float64Array) -> str | None:
    """The narrowest format that holds all values exactly, if one of 16 bits does."""
    for fraction in range(16):
        codes = values * 2.0**fraction
        if np.array_equal(codes, np.rint(codes)):
            integer = next(i for i in range(1, 64) if codes.min() >= -(2.0 ** (fraction + i - 1))
                           and codes.max() < 2.0 ** (fraction + i - 1))
            return f"S{integer}.{fraction}" if integer + fraction <= _LONGEST else None
    return None


def by_shape(arrays: dict[str, FloatArray], spec: EncoderSpec) -> EncoderValues:
    """The four arrays of a file that says no architecture, found by their shapes.

    Raises InputError if there is none or more than one of a needed shape; biases may be missing together.
    """
    values = EncoderValues()
    shapes = spec.weight_shapes
    biases = [name for name in shapes if name.endswith("_bias")]
    without_bias = not any(array.shape == shapes[name] for name in biases for array in arrays.values())
    for name, shape in shapes.items():
        if without_bias and name in biases:
            values.arrays[name], values.sources[name] = np.zeros(shape), "none in the file: zeros"
            continue
        source = _choose(arrays, name, shape)
        values.arrays[name], values.sources[name] = np.asarray(arrays[source], dtype=np.float64), source
    for layer in ("conv", "dense"):
        bias = {} if without_bias else {"bias": values.arrays[f"{layer}_bias"]}
        kernel = values.arrays[f"{layer}_kernel"]
        values.trained.append((Layer(layer, layer, arrays=bias), kernel))
    values.notes.append(
        f"no architecture in the file: assumed convolution of stride {spec.conv.stride} with 'same' padding, ReLU, "
        "flatten (row, column, filter), dense layer, ReLU, kernels without scale"
        + (", no biases" if without_bias else ""))
    return values


def _choose(arrays: dict[str, FloatArray], name: str, shape: tuple[int, ...]) -> str:
    candidates = [source for source, array in arrays.items() if array.shape == shape]
    named = [source for source in candidates if "encod" in source.lower()]
    candidates = named if len(candidates) > 1 and named else candidates
    if len(candidates) != 1:
        what = f"{counted(len(candidates), 'array')} ({', '.join(candidates[:3])})" if candidates else "no array"
        raise InputError(f"{what} of shape {shape} for {name}, expected exactly one")
    return candidates[0]


def _quantise(
    name: str, source: str, value: Float64Array, form: FixedPoint, rounding: Rounding
) -> tuple[Int64Array, ImportedArray]:
    scaled = value / form.lsb
    whole = np.floor(scaled) if rounding == "floor" else np.rint(scaled)
    code = replace(form, rounding="floor" if rounding == "floor" else "half_even").quantize(value)
    rounded = int(np.count_nonzero(scaled != np.rint(scaled)))
    clipped = int(np.count_nonzero((whole < form.min_code) | (whole > form.max_code)))
    change = float(np.abs(form.value(code) - value).max())
    return code, ImportedArray(name, source, value.size, rounded, clipped, change)
