"""Files of learned losses: size and weights of a network of the family, as plain numbers without a graph."""

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
    """Size of a network: image -> `layers` convolutions with `filters` kernels -> dense layer of `units` -> number."""

    image: Image
    filters: int
    kernel: int
    layers: int
    units: int


SIZES = (
    Size("8x8", 16, 3, 2, 64), Size("4x4x3", 32, 3, 2, 128), Size("6x6x3", 32, 3, 2, 128),
    Size("4x4x3", 64, 3, 2, 64), Size("8x8", 8, 5, 1, 128), Size("4x4x3", 32, 3, 3, 256),
)
"""Sizes of the family, each trained from several seeds; a file holds one of them."""


def save(path: Path, size: Size, weights: Sequence[FloatArray]) -> None:
    """Write a loss of one of SIZES; `weights`: arrays in the order of the layers. Equal losses give equal bytes."""
    write_model(path, asdict(size), weights)


def read(path: Path) -> tuple[Size, FloatArray]:
    """Read size and weights (n,) float32 of a loss; raises InputError if the file holds anything else.

    The caller, who builds the network, checks the number of weights.
    """
    found, weights = read_model(path, "a learned loss")
    size = next((size for size in SIZES if asdict(size) == found), None)
    if size is None:
        raise InputError(f"{path}: network of size {str(found)[:120]}, expected one of learned_file.SIZES")
    return size, weights


def is_ours(path: Path) -> bool:
    """Whether a path is a file named like a loss or like the result of a family."""
    name = path.suffix == SUFFIX and LEARNED_LOSS.fullmatch(path.stem)
    return path.is_file() and bool(name or path.name == RESULT_FILE)
