"""Import of a trained encoder from a Keras or QKeras file (`.h5`, `.hdf5`), quantised to the chip's codes.

Layers are found by the shapes of their arrays, because their names differ from version to version of Keras.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from models.errors import InputError, parsing
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from models.weights import EncoderWeights

_MAX_DATASETS = 10_000
_NOT_ENCODER = ("optimizer", "decod", "transpose", "conv2d_t")


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


def import_keras(path: str | Path, spec: EncoderSpec) -> tuple[EncoderWeights, list[ImportedArray]]:
    """Read the encoder of a Keras file; returns codes and what was rounded or clipped.

    Values go to the nearest code, half to even, and saturate, as QKeras' own quantisers do. Raises InputError if the
    file is unreadable, or has no or several arrays of a needed shape.
    """
    with parsing(path, "HDF5"), h5py.File(path, "r") as file:
        found = _datasets(file)
        chosen = {name: _choose(Path(path), found, name, shape) for name, shape in spec.weight_shapes.items()}
        values = {name: np.asarray(file[source], dtype=np.float64) for name, source in chosen.items()}
    codes, report = {}, []
    for name, form in spec.weight_formats.items():
        if not np.isfinite(values[name]).all():
            index = [int(i) for i in np.argwhere(~np.isfinite(values[name]))[0]]
            raise InputError(f"{path}: {chosen[name]}{index} is not finite, expected a number")
        codes[name], row = _quantise(name, chosen[name], values[name], form)
        report.append(row)
    return EncoderWeights(spec, **codes), report


def _datasets(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Path and shape of every float array that may belong to an encoder."""
    found: dict[str, tuple[int, ...]] = {}

    def visit(name: str, item: Any) -> None:
        if len(found) > _MAX_DATASETS:
            raise InputError(f"{file.filename}: over {_MAX_DATASETS} arrays, expected a Keras model")
        plain = name.lower()
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and not any(w in plain for w in _NOT_ENCODER):
            found[name] = item.shape

    file.visititems(visit)
    return found


def _choose(path: Path, found: dict[str, tuple[int, ...]], name: str, shape: tuple[int, ...]) -> str:
    candidates = [source for source, its_shape in found.items() if its_shape == shape]
    named = [source for source in candidates if "encod" in source.lower()]
    candidates = named if len(candidates) > 1 and named else candidates
    if len(candidates) != 1:
        what = f"{len(candidates)} arrays ({', '.join(candidates[:3])})" if candidates else "no array"
        raise InputError(f"{path}: {what} of shape {shape} for {name}, expected exactly one")
    return candidates[0]


def _quantise(
    name: str, source: str, value: npt.NDArray[np.float64], form: FixedPoint
) -> tuple[npt.NDArray[np.int64], ImportedArray]:
    scaled = value / form.lsb
    code = replace(form, rounding="half_even").quantize(value)
    rounded = int(np.count_nonzero(scaled != np.rint(scaled)))
    clipped = int(np.count_nonzero((np.rint(scaled) < form.min_code) | (np.rint(scaled) > form.max_code)))
    change = float(np.abs(form.value(code) - value).max())
    return code, ImportedArray(name, source, value.size, rounded, clipped, change)
