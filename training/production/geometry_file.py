"""Geometry file of the experiment (`geometry_hgcal.txt`): every silicon module of one 120 degree sector.

Blank-separated columns with a header, one row per module. The file says which modules there are, how many links the
trigger reads of each, their type and density, and the outline of partial ones. Modules elsewhere are found by turning
them into the sector.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import BoolArray, FloatArray, IntArray
from models.chip import MAX_ELINKS
from models.errors import InputError, nearest, parsing
from models.trigger_cells import COORDINATES, N_TRIGGER_CELLS
from training.production.allocation import ModuleLinks
from training.production.geometry import FRONT, module_centre

N_PLANES = 47
"""Silicon planes of the final detector, from 1; the electromagnetic ones with an odd number are read by the trigger."""
_N_EM_PLANES, _N_THIN_PLANES = 26, 11
_SECTOR_UV = 13
_WIDTH = 2 * (2 * _SECTOR_UV) + 1  # of u and v in all three sectors
_MOST_BYTES = 16 << 20
_LARGEST_VERTICES = 7
_MM_PER_CM = 10
_WAFER_TYPES = "IMO"
"""Second letter of a module's type: 120, 200 or 300 um of silicon, wafer types 0, 1, 2."""
_SIXTHS = 6


@dataclass(frozen=True)
class GeometryFile:
    """Modules of the sector in the order of the file: plane, u, v, links, type, density and outline, (n,) each.

    `turn`: sixths of a turn by which the module stands turned; `outline` (n, 7, 2): corners relative to its centre, in
    cm, of which the first `n_corners` are used.
    """

    path: str
    plane: IntArray
    u: IntArray
    v: IntArray
    links: IntArray
    type: npt.NDArray[np.str_]
    high_density: BoolArray
    turn: IntArray
    n_corners: IntArray
    outline: FloatArray

    @classmethod
    def read(cls, path: str | Path) -> GeometryFile:
        """Read a file; raises InputError naming file, row, column and value."""
        import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

        if Path(path).stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: {Path(path).stat().st_size} bytes, expected a list of at most {_MOST_BYTES}")
        with parsing(path, "a table of blank-separated columns"):
            table = pd.read_csv(path, sep=r"\s+", dtype=str, keep_default_na=False, index_col=False)
        if table.empty:
            raise InputError(f"{path}: no rows, expected one per module")

        def column(name: str, low: float, high: float, whole: bool = True) -> npt.NDArray[Any]:
            if name not in table:
                raise InputError(f"{path}: column {name} is missing{nearest(name, map(str, table.columns))}")
            values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
            good = (values >= low) & (values <= high) & (~np.array(whole) | (np.mod(values, 1) == 0))
            if not good.all():
                row = int(np.argmin(good))
                kind = "a whole number" if whole else "a number"
                raise InputError(f"{path}: data row {row + 1}, column {name}: {str(table[name][row])[:40]!r}, expected "
                                 f"{kind} of {low:g}..{high:g}")
            return values.astype(np.int64) if whole else values

        if "itype" not in table:
            raise InputError(f"{path}: column itype is missing{nearest('itype', map(str, table.columns))}")
        types = table["itype"].to_numpy(str)
        known = np.array([len(one) > 1 and set(one[1:3]) & set(_WAFER_TYPES) != set() for one in types])
        if not known.all():
            row = int(np.argmin(known))
            raise InputError(f"{path}: data row {row + 1}, column itype: {types[row][:40]!r}, expected a letter of the "
                             f"shape and one of {', '.join(_WAFER_TYPES)}")
        plane, u, v = column("plane", 1, N_PLANES), column("u", 0, _SECTOR_UV), column("v", 0, _SECTOR_UV)
        place = pd.MultiIndex.from_arrays([plane, u, v])
        if place.has_duplicates:
            row = int(np.argmax(place.duplicated()))
            raise InputError(f"{path}: data row {row + 1}: module {plane[row]}, {u[row]}, {v[row]} is "
                             "given twice")
        centre = np.stack([column(name, -1e5, 1e5, whole=False) for name in ("x0", "y0")], axis=-1)
        corners = np.stack([np.stack([column(f"v{axis}_{i}", -1e5, 1e5, whole=False) for axis in "xy"], axis=-1)
                            for i in range(_LARGEST_VERTICES)], axis=1)
        return cls(str(path), plane, u, v, column("trigLinks", 0, MAX_ELINKS), types,
                   column("HDorLD", 0, 1).astype(bool), column("irot", 0, _SIXTHS - 1),
                   column("nvertices", 3, _LARGEST_VERTICES), (corners - centre[:, None]) / _MM_PER_CM)

    @cached_property
    def _rows(self) -> IntArray:
        """Row of each module of all three sectors, [plane, u, v], offset by twice the size of a sector; -1: none."""
        table = np.full((N_PLANES + 1, _WIDTH, _WIDTH), -1)
        u, v = self.u, self.v
        for _ in range(3):
            table[self.plane, u + 2 * _SECTOR_UV, v + 2 * _SECTOR_UV] = np.arange(len(self.plane))
            u, v = -v, u - v
        return table

    def row_of(self, layer: IntArray, u: IntArray, v: IntArray) -> IntArray:
        """Row of each module, turned into the sector; -1 for one that does not exist."""
        layer, u, v = (np.asarray(one, np.int64) for one in (layer, u, v))
        near = (layer >= 0) & (layer <= N_PLANES) & (np.abs(u) <= 2 * _SECTOR_UV) & (np.abs(v) <= 2 * _SECTOR_UV)
        found = self._rows[np.where(near, layer, 0), np.where(near, u, 0) + 2 * _SECTOR_UV,
                           np.where(near, v, 0) + 2 * _SECTOR_UV]
        return np.where(near, found, -1)

    def links_of(self, layer: IntArray, u: IntArray, v: IntArray) -> IntArray:
        """Number of links of each module; 0 for one that is not read by the trigger, or does not exist."""
        return _taken(self.links, self.row_of(layer, u, v), 0)

    def is_listed(self, layer: IntArray, u: IntArray, v: IntArray) -> BoolArray:
        """Whether each module exists."""
        listed: BoolArray = self.row_of(layer, u, v) >= 0
        return listed

    def is_whole(self, layer: IntArray, u: IntArray, v: IntArray) -> BoolArray:
        """Whether each module exists and is a full hexagon."""
        whole: BoolArray = _taken(np.char.startswith(self.type, "F"), self.row_of(layer, u, v), False)
        return whole

    @cached_property
    def wafer_type(self) -> IntArray:
        """Wafer type of each row: 0, 1, 2 for 120, 200 and 300 um of silicon."""
        return np.array([next(_WAFER_TYPES.index(c) for c in one[1:3] if c in _WAFER_TYPES) for one in self.type])

    @cached_property
    def cells(self) -> BoolArray:
        """Trigger cells of each row that have silicon, (n, 48): those whose centre is inside the outline."""
        offset = COORDINATES - COORDINATES.mean(axis=0)
        there = np.zeros((len(self.plane), N_TRIGGER_CELLS), dtype=bool)
        for turn in range(_SIXTHS):
            angle = turn * np.pi / 3
            turned = offset @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            for n in np.unique(self.n_corners):
                rows = np.flatnonzero((self.turn == turn) & (self.n_corners == n))
                there[rows] = _inside(turned, self.outline[rows, :n])
        there[np.char.startswith(self.type, "F")] = True
        return there

    def cells_of(self, layer: IntArray, u: IntArray, v: IntArray) -> BoolArray:
        """Trigger cells that exist, (n, 48); all of them in a module that is not listed."""
        row = self.row_of(layer, u, v)
        there: BoolArray = np.where((row >= 0)[:, None], self.cells[row], True)
        return there


def _taken(values: npt.NDArray[Any], row: IntArray, absent: Any) -> npt.NDArray[Any]:
    return np.where(row >= 0, values[row], absent)


def _inside(points: FloatArray, corners: FloatArray) -> BoolArray:
    """Whether points (m, 2) are inside convex polygons (n, k, 2), with corners in either direction: (n, m)."""
    edges = np.roll(corners, -1, axis=1) - corners
    to_point = points[None, :, None] - corners[:, None]
    side = edges[:, None, :, 0] * to_point[..., 1] - edges[:, None, :, 1] * to_point[..., 0]
    return np.asarray((side >= 0).all(axis=2) | (side <= 0).all(axis=2), dtype=np.bool_)


def plane_eta(layer: IntArray, u: IntArray, v: IntArray) -> FloatArray:
    """|eta| of module centres; the file has no z: planes are evenly spaced within each of the three sections."""
    counts = (_N_EM_PLANES, _N_THIN_PLANES, N_PLANES - _N_EM_PLANES - _N_THIN_PLANES)
    z = FRONT + np.cumsum(np.repeat([34.0 / _N_EM_PLANES, 5.3, 8.6], counts))
    radius = np.hypot(*module_centre(np.asarray(u), np.asarray(v)).T)
    eta: FloatArray = np.arcsinh(z[np.clip(layer, 1, N_PLANES) - 1] / np.maximum(radius, 1.0))
    return eta


ModuleList = ModuleLinks | GeometryFile


def read_module_list(path: str | Path) -> ModuleList:
    """Read the links of modules from a CSV such as ModuleLinkSummary.csv, or from the geometry file.

    The first line tells which one it is. Raises InputError naming file, row, column and value.
    """
    with Path(path).open("rb") as file:
        header = file.readline(1 << 16).split()
    return GeometryFile.read(path) if b"plane" in header or b"trigLinks" in header else ModuleLinks.read(path)
