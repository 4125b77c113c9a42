"""Keras models in `.npz` files: size and weights, from which the reader rebuilds the model.

Files do not name classes or functions, and equal models give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray
from models.errors import InputError, parsing
from models.npz import read_npz, write_npz
from models.wording import counted

_OLDER = ".keras"


_STORED = (np.float32, np.float16)


def write_model(
    path: Path, size: Mapping[str, Any], weights: Sequence[FloatArray], stored_as: type[np.floating[Any]] = np.float32
) -> None:
    """Write the size of a model, as plain JSON, and its weights in the order of its layers, as float32 or float16.

    Raises InputError, before anything is written, if a weight is too large for the type.
    """
    exact = np.concatenate([np.ravel(weight) for weight in weights])
    with np.errstate(over="ignore"):
        flat = exact.astype(stored_as)
    beyond = np.flatnonzero(np.isinf(flat) & np.isfinite(exact))
    if len(beyond):
        raise InputError(f"{path}: weights[{beyond[0]}] = {exact[beyond[0]]:g}, expected at most "
                         f"{np.finfo(stored_as).max:g} for {np.dtype(stored_as)}")
    write_npz(path, size=json.dumps(size), weights=flat)


def read_model(path: Path, kind: str) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
    """Read size and weights (n,) of a model; raises InputError, naming `kind`, if the file holds anything else."""
    older = path.with_suffix(_OLDER)
    if path.suffix == _OLDER or (not path.exists() and older.exists()):
        raise InputError(f"{older}: {kind} of an older version, which cannot be read; train again")
    if not path.exists():
        raise InputError(f"{path}: no such file, expected {kind}")
    content = read_npz(path, {"size", "weights"})
    with parsing(path, kind):
        size = json.loads(str(content["size"]))
    if not isinstance(size, dict):
        raise InputError(f"{path}: size {str(size)[:40]!r}, expected a JSON object")
    weights = content["weights"]
    if weights.dtype not in _STORED or weights.ndim != 1:
        raise InputError(f"{path}: weights of type {weights.dtype} and shape {weights.shape}, expected float32 or "
                         "float16 (n,)")
    weights = weights.astype(np.float32)
    if not np.isfinite(weights).all():
        first = int(np.flatnonzero(~np.isfinite(weights))[0])
        raise InputError(f"{path}: weights[{first}] = {weights[first]}, expected a finite number")
    return size, weights


def check_count(path: Path, weights: npt.NDArray[np.float32], expected: int, what: str) -> None:
    """Raise InputError unless the number of weights is that of the model; call it before building a large model."""
    if len(weights) != expected:
        raise InputError(f"{path}: {counted(len(weights), 'weight')}, expected {expected:,} of {what}")


def fill(model: Any, weights: npt.NDArray[np.float32]) -> None:
    """Set all weights of a new model, in the order of its layers."""
    shapes = [weight.shape for weight in model.get_weights()]
    parts = np.split(weights, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    model.set_weights([part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)])
