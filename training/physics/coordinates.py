"""Coordinates of profiles: occupancy, module sum, layer and |eta|, with the bin of every module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray, Int64Array, IntArray
from models.errors import InputError
from training.physics.statistics import bin_edges, bin_numbers
from training.results.comparison import Coordinate, Slice

_N_BINS = 8
_N_SLICES = 3
_MAX_LAYERS = 60  # up to this many different values, each layer is a bin


@dataclass(frozen=True)
class Binned:
    """A coordinate and the bin of each module, (n,); -1 leaves a module out."""

    coordinate: Coordinate
    bins: Int64Array


def values(
    calq: IntArray, extra: Mapping[str, npt.NDArray[Any]], selected: IntArray, min_charge: float
) -> dict[str, tuple[str, npt.NDArray[Any]]]:
    """Title of each coordinate and its value for each selected row, (n,); raises as `coordinates` does."""
    chosen = calq[selected]
    found: dict[str, tuple[str, npt.NDArray[Any]]] = {
        "occupancy": (f"cells above {min_charge:g} CALQ", (chosen > min_charge).sum(axis=1)),
        "module_sum": ("module sum [CALQ]", chosen.sum(axis=1, dtype=np.int64)),
    }
    for name, column in extra.items():
        if str(name).lower() in ("layer", "eta"):
            value = _numbers(str(name), column)[selected]
            found[str(name).lower()] = ("layer", value) if str(name).lower() == "layer" else ("|eta|", np.abs(value))
    return found


def coordinates(
    calq: IntArray, extra: Mapping[str, npt.NDArray[Any]], selected: IntArray, min_charge: float
) -> list[Binned]:
    """All coordinates of the `selected` rows of charges (n, 48), occupancy also in slices of the module sum.

    extra: further columns of the file, (n,). Raises InputError if a value of `layer` or `eta` is not a number.
    """
    found = values(calq, extra, selected, min_charge)
    result = [_binned(name, title, value) for name, (title, value) in found.items()]
    whole = [one for one in result if one is not None]
    occupancy = next((one for one in whole if one.coordinate.name == "occupancy"), None)
    return whole + (_slices(occupancy, found["module_sum"][1]) if occupancy else [])


def _binned(name: str, title: str, value: npt.NDArray[Any]) -> Binned | None:
    """Bin a coordinate; None if all values are equal."""
    different = np.unique(value)
    if name == "layer" and 1 < len(different) <= _MAX_LAYERS:
        middles = (different[1:] + different[:-1]) / 2
        edges = np.array([different[0] - 0.5, *middles, different[-1] + 0.5])
    else:
        edges = bin_edges(value, _N_BINS)
    if not len(edges):
        return None
    bins = bin_numbers(value, edges)
    inside = [value[bins == number] for number in range(len(edges) - 1)]
    return Binned(Coordinate(name=name, title=title, edges=tuple(edges.tolist()), n=tuple(len(v) for v in inside),
                             labels=tuple(_span(v) for v in inside), slice_of=None), bins)


def _slices(occupancy: Binned, module_sum: npt.NDArray[Any]) -> list[Binned]:
    """Occupancy of modules with small, medium and large sums, in the same bins."""
    edges = bin_edges(module_sum, _N_SLICES)
    found = []
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        bins = np.where(bin_numbers(module_sum, edges) == number, occupancy.bins, -1)
        counts = np.bincount(bins[bins >= 0], minlength=len(occupancy.coordinate.labels))
        found.append(Binned(occupancy.coordinate.model_copy(update={
            "name": f"occupancy, slice {number + 1}", "n": tuple(counts.tolist()),
            "slice_of": Slice(coordinate="module_sum", low=low, high=high)}), bins))
    return found


def _span(values: npt.NDArray[Any]) -> str:
    """Range of the values of a bin in words."""
    if not len(values):
        return "none"
    low, high = (f"{end:.4g}" if isinstance(end, float) else str(end) for end in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _numbers(name: str, column: npt.NDArray[Any]) -> FloatArray:
    """Convert a column of a file to numbers; raises InputError naming the first row without one."""
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    numbers = pd.to_numeric(pd.Series(column), errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise InputError(f"data row {bad[0] + 1}, column {name}: {str(column[bad[0]])[:40]!r}, expected a number")
    return numbers
