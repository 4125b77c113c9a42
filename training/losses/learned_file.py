"""Files of learned losses: which network of the family, and its weights; numbers alone, no file brings a graph."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from models.config import LEARNED_LOSS
from models.errors import InputError, parsing
from models.files import atomic_path
from models.npz import read_npz
from training.networks.catalogue import Image

FIGURES_FILE = "emd_loss.json"
SUFFIX = ".npz"



@dataclass(frozen=True)
class Size:
    """image -> `layers` convolutions of `filters` kernels -> dense layer of `units` -> one number."""

    image: Image
    filters: int
    kernel: int
    layers: int
    units: int


SIZES = (
    Size("8x8", 16, 3, 2, 64), Size("4x4x3", 32, 3, 2, 128), Size("6x6x3", 32, 3, 2, 128),
    Size("4x4x3", 64, 3, 2, 64), Size("8x8", 8, 5, 1, 128), Size("4x4x3", 32, 3, 3, 256),
)
"""The family; each size is trained from several seeds. A file has one of these."""


def save(path: Path, size: Size, weights: Sequence[FloatArray]) -> None:
    """Write a loss of one of SIZES; `weights` are arrays in the order of the layers. Equal losses give equal bytes."""
    flat = np.concatenate([np.ravel(weight) for weight in weights]).astype(np.float32)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, size=np.array(json.dumps(asdict(size))), weights=flat)


def read(path: Path) -> tuple[Size, FloatArray]:
    """Size and weights (n,) float32 of a loss; raises InputError if the file holds anything else.

    Whether there are as many weights as such a network has is for who builds it.
    """
    content = read_npz(path, {"size", "weights"})
    with parsing(path, "a learned loss"):
        found = json.loads(str(content["size"]))
    size = next((size for size in SIZES if asdict(size) == found), None)
    if size is None:
        raise InputError(f"{path}: a network of size {str(found)[:120]}, expected one of training.emd_loss_file.SIZES")
    weights = content["weights"]
    if weights.dtype != np.float32 or weights.ndim != 1:
        raise InputError(f"{path}: weights of type {weights.dtype} and shape {weights.shape}, expected float32 (n,)")
    if not np.isfinite(weights).all():
        first = int(np.flatnonzero(~np.isfinite(weights))[0])
        raise InputError(f"{path}: weights[{first}] = {weights[first]}, expected a finite number")
    return size, weights


def is_ours(path: Path) -> bool:
    """Whether a path is a file that has the name of a loss or of the figures of a family."""
    name = path.suffix == SUFFIX and LEARNED_LOSS.fullmatch(path.stem)
    return path.is_file() and bool(name or path.name == FIGURES_FILE)
