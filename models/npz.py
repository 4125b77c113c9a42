"""Arrays into `npz` files and out of them, checked before they are unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import InputError, parsing
from models.files import atomic_path

_MAX_UNPACKED_BYTES = 16 << 20  # thousands of times the size of any encoder; what is larger has to be as large packed


def read_npz(path: Path, required: set[str], optional: Set[str] = frozenset()) -> dict[str, npt.NDArray[Any]]:
    """Those arrays of an `npz` file that have these names; raises InputError if one required is missing."""
    known = required | optional
    with parsing(path, "npz"):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        most = max(_MAX_UNPACKED_BYTES, path.stat().st_size)
        if unpacked > most:
            raise InputError(f"{path}: {unpacked} bytes unpacked, expected at most {most}")
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files if name in known}
    damaged = next((name for name, array in content.items() if not isinstance(array, np.ndarray)), None)
    if damaged:  # without the first bytes of an array NumPy takes it for any file in a zip
        raise InputError(f"{path}: {damaged} is not a NumPy array")
    missing = sorted(required - set(content))
    if missing:
        raise InputError(f"{path}: array {missing[0]} is missing, expected {', '.join(sorted(required))}")
    return content


def write_npz(path: str | Path, **content: npt.ArrayLike) -> None:
    """Write arrays, numbers and texts by name, the whole file or nothing."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in content.items()}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
