"""Files of learned losses: which network of the family, and its weights; numbers alone, no file brings a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models.arrays import FloatArray
from models.config import LEARNED_LOSS
from models.errors import InputError
from training.networks.catalogue import Image
from training.networks.model_file import read_model, write_model

RESULT_FILE = "emd_loss.json"
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
    write_model(path, asdict(size), weights)


def read(path: Path) -> tuple[Size, FloatArray]:
    """Size and weights (n,) float32 of a loss; raises InputError if the file holds anything else.

    Whether there are as many weights as such a network has is for who builds it.
    """
    found, weights = read_model(path, "a learned loss")
    size = next((size for size in SIZES if asdict(size) == found), None)
    if size is None:
        raise InputError(f"{path}: a network of size {str(found)[:120]}, expected one of learned_file.SIZES")
    return size, weights


def is_ours(path: Path) -> bool:
    """Whether a path is a file that has the name of a loss or of the figures of a family."""
    name = path.suffix == SUFFIX and LEARNED_LOSS.fullmatch(path.stem)
    return path.is_file() and bool(name or path.name == RESULT_FILE)
