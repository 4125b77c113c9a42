"""Geometry of the endcaps: positions of the layers, the 8-inch silicon modules and their trigger cells.

One geometry describes both endcaps: positions at negative z are mirrored in x, so that modules have the same (u, v) on
both sides. Distances are in cm. Sources: CMS-TDR-019 (2017), chapters 1 to 3, for the absorbers, depths and acceptance;
the published list of modules (50 layers) for the extent of the silicon. Layers are evenly spaced within each of the
three sections.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray, IntArray
from models.trigger_cells import COORDINATES, PITCH

N_LAYERS = 50
N_EM_LAYERS = 28
N_THIN_LAYERS = 11
ETA_RANGE = (1.5, 3.0)
FRONT = 321.0
"""Position of the front face along z."""
WAFER_PITCH = np.sqrt(3) * 4 * PITCH
"""Distance of neighbouring modules, 16.74 cm: three rhombi of 4x4 trigger cells form a hexagon of side 4 pitches."""
HIGH_DENSITY_RADIUS = 75.0
"""Modules centred within this radius are of high density, except behind the thin hadronic layers."""
_LAST_DENSE_LAYER = 36
LARGEST_UV = 13
_LARGEST_CELL_UV = 7
_FEWEST_CELLS = 16
"""A module needs at least this many trigger cells in the acceptance; this value fits the published list best."""

_SILICON_EDGE = {36: 170.0, 40: 160.0, 42: 140.0, 46: 122.0, 50: 106.0}
"""Outer radius of the silicon by the last layer that has it; scintillator beyond."""
_SLOW = np.array([np.sqrt(3) / 2, -0.5]) * PITCH
_FAST = np.array([0.0, -1.0]) * PITCH
_CENTRE = COORDINATES.mean(axis=0)


@dataclass(frozen=True)
class Layers:
    """Properties of the 50 layers, each (50,).

    z of the silicon; of the absorber in front of it the thickness in radiation and in interaction lengths, the critical
    energy in GeV, the Moliere radius in cm and the atomic number.
    """

    z: FloatArray
    radiation_lengths: FloatArray
    interaction_lengths: FloatArray
    critical_energy: FloatArray
    moliere_radius: FloatArray
    atomic_number: FloatArray


@cache
def layers() -> Layers:
    """All layers: 28 of lead, copper and tungsten (25 X0, 1.3 lambda), 11 of 35 mm and 11 of 68 mm steel and copper."""
    counts = (N_EM_LAYERS, N_THIN_LAYERS, N_LAYERS - N_EM_LAYERS - N_THIN_LAYERS)

    def per_section(*values: float) -> FloatArray:
        return np.repeat(np.array(values), counts)

    pitch = per_section(34.0 / N_EM_LAYERS, 5.3, 8.6)
    return Layers(
        z=FRONT + np.cumsum(pitch),
        radiation_lengths=per_section(25.2 / N_EM_LAYERS, 2.4, 4.3),
        interaction_lengths=per_section(1.3 / N_EM_LAYERS, 0.25, 0.445),
        critical_energy=per_section(0.0085, 0.0215, 0.0215),
        moliere_radius=per_section(2.8, 2.6, 2.2),
        atomic_number=per_section(70.0, 26.0, 26.0),
    )


def trigger_layers() -> IntArray:
    """Numbers (from 1) of the trigger layers: every second electromagnetic one and all hadronic ones."""
    number = np.arange(1, N_LAYERS + 1)
    read: IntArray = number[(number > N_EM_LAYERS) | (number % 2 == 1)]
    return read


def acceptance(layer: int) -> tuple[float, float]:
    """Inner and outer radius of the silicon in a layer."""
    z = layers().z[layer - 1]
    silicon = next(radius for last, radius in _SILICON_EDGE.items() if layer <= last)
    return float(z / np.sinh(ETA_RANGE[1])), float(min(z / np.sinh(ETA_RANGE[0]), silicon))


def module_centre(u: IntArray, v: IntArray) -> FloatArray:
    """Centres (n, 2) of modules; u and v run along axes 120 degrees apart, u along x."""
    centre: FloatArray = np.stack([u - v / 2, v * (np.sqrt(3) / 2)], axis=-1) * WAFER_PITCH
    return centre


def module_at(position: FloatArray) -> tuple[IntArray, IntArray]:
    """Modules (u, v) at positions (n, 2): the nearest points of the hexagonal lattice."""
    v = position[:, 1] / (WAFER_PITCH * np.sqrt(3) / 2)
    u = position[:, 0] / WAFER_PITCH + v / 2
    # Round three coordinates that sum to zero, then replace the one that moved most by what the other two imply.
    cube = np.stack([u, -v, v - u])
    rounded = np.rint(cube)
    moved = np.abs(rounded - cube)
    worst_u = (moved[0] > moved[1]) & (moved[0] > moved[2])
    worst_v = ~worst_u & (moved[1] > moved[2])
    u = np.where(worst_u, -rounded[1] - rounded[2], rounded[0])
    v = np.where(worst_v, rounded[0] + rounded[2], -rounded[1])
    return u.astype(np.int64), v.astype(np.int64)


def trigger_cell_at(offset: FloatArray) -> IntArray:
    """Trigger cells 0..47 at offsets (n, 2) from the module's centre; offsets just outside get an edge cell."""
    sixths = np.arctan2(offset[:, 1], offset[:, 0]) + np.pi / 6
    rhombus = np.floor(sixths / (2 * np.pi / 3)).astype(np.int64) % 3
    back = -rhombus * (2 * np.pi / 3)
    x = np.cos(back) * offset[:, 0] - np.sin(back) * offset[:, 1]
    y = np.sin(back) * offset[:, 0] + np.cos(back) * offset[:, 1]
    along_slow = x / _SLOW[0]
    along_fast = (y - along_slow * _SLOW[1]) / -_FAST[1]
    slow, fast = (np.clip(np.floor(along), 0, 3).astype(np.int64) for along in (along_slow, along_fast))
    cell: IntArray = 16 * rhombus + 4 * slow + 3 - fast
    return cell


@cache
def _cells_by_uv() -> IntArray:
    number = np.arange(16)
    slow, fast = number // 4, number % 4
    table = np.full((8, 8), -1, dtype=np.int32)
    table[7 - fast, 4 + slow] = number
    table[1 + slow + fast, fast] = 16 + number
    table[3 - slow, 6 - slow - fast] = 32 + number
    return table.ravel()


def cell_from_uv(cell_u: IntArray, cell_v: IntArray) -> IntArray:
    """Trigger cells 0..47 for the cell coordinates (u, v), 0..7, of ntuples; -1 where there is no cell."""
    # Negative numbers are large as unsigned ones: one comparison checks both ends.
    outside = (cell_u.astype(np.uint32) | cell_v.astype(np.uint32)) > _LARGEST_CELL_UV
    return np.where(outside, np.int32(-1), _cells_by_uv()[(cell_u & 7) << 3 | (cell_v & 7)])


@dataclass(frozen=True)
class Modules:
    """Silicon modules of one endcap.

    layer, u, v, high_density and partial (cut by the edge of the silicon), all (n,); eta (n, 48) of the trigger cells
    and inside (n, 48), whether they have silicon, both in TC order.
    """

    layer: IntArray
    u: IntArray
    v: IntArray
    high_density: npt.NDArray[np.bool_]
    partial: npt.NDArray[np.bool_]
    eta: FloatArray
    inside: npt.NDArray[np.bool_]


@cache
def modules() -> Modules:
    """All modules of the trigger layers, layer by layer."""
    grid = np.arange(-LARGEST_UV, LARGEST_UV + 1)
    u, v = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    parts = [_of_layer(int(layer), u, v) for layer in trigger_layers()]
    return Modules(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@cache
def module_index() -> IntArray:
    """Row of `modules()` for [layer, u + LARGEST_UV, v + LARGEST_UV]; -1 where there is no module."""
    table = np.full((N_LAYERS + 1, 2 * LARGEST_UV + 1, 2 * LARGEST_UV + 1), -1)
    table[modules().layer, modules().u + LARGEST_UV, modules().v + LARGEST_UV] = np.arange(len(modules().layer))
    return table


def _of_layer(layer: int, u: IntArray, v: IntArray) -> tuple[npt.NDArray[Any], ...]:
    inner, outer = acceptance(layer)
    cells = module_centre(u, v)[:, None] + (COORDINATES - _CENTRE)[None]
    radius = np.hypot(cells[..., 0], cells[..., 1])
    inside = (radius >= inner) & (radius <= outer)
    there = inside.sum(axis=1) >= _FEWEST_CELLS
    eta = np.arcsinh(layers().z[layer - 1] / np.maximum(radius, 1e-3))
    high_density = np.hypot(*module_centre(u, v).T) < (HIGH_DENSITY_RADIUS if layer <= _LAST_DENSE_LAYER else 0)
    columns = (np.full(len(u), layer), u, v, high_density, ~inside.all(axis=1), eta, inside)
    return tuple(column[there] for column in columns)

