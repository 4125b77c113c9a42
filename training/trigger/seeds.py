"""Seeds of clusters: local maxima of a smoothed histogram of the charge in (r/z, phi), all endcaps at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import Float64Array, FloatArray, Int64Array
from models.trigger_cells import N_TRIGGER_CELLS
from training.production.geometry import FRONT, WAFER_PITCH
from training.trigger.cells import Cells, sums
from training.trigger.system import ClusterSettings

CELL_AREA = float(np.sqrt(3) / 2 * WAFER_PITCH**2 / N_TRIGGER_CELLS / FRONT**2)
"""Area of a trigger cell in (x/z, y/z), at the front face: 4.9e-5."""
_NEIGHBOURS = tuple((dr, dphi) for dr in (-1, 0, 1) for dphi in (-1, 0, 1) if (dr, dphi) != (0, 0))


@dataclass(frozen=True)
class Seeds:
    """Seeds, sorted by group, (n,): group, position in (x/z, y/z), smoothed charge on the area of a trigger cell."""

    group: Int64Array
    x: Float64Array
    y: Float64Array
    density: Float64Array

    def __len__(self) -> int:
        return len(self.group)


def bin_numbers(x: FloatArray, y: FloatArray, settings: ClusterSettings) -> Int64Array:
    """Bin of each position, r/z number * n_phi + phi number, (n,); -1 outside the range of r/z."""
    low, high = settings.rz_range
    rz = np.floor((np.hypot(x, y) - low) * (settings.n_rz / (high - low))).astype(np.int64)
    phi = np.floor((np.arctan2(y, x) / (2 * np.pi) + 0.5) * settings.n_phi).astype(np.int64) % settings.n_phi
    inside = (rz >= 0) & (rz < settings.n_rz)
    return np.where(inside, rz * settings.n_phi + phi, -1)


def enter(cells: Cells, settings: ClusterSettings) -> tuple[Cells, Int64Array]:
    """Cells that are used and their bins: of each bin at most the `cells_per_bin` largest, earlier ones on a tie."""
    bins = bin_numbers(cells.x, cells.y, settings)
    kept = np.flatnonzero(bins >= 0)
    if settings.cells_per_bin is not None:
        n_bins = settings.n_rz * settings.n_phi
        place = cells.group[kept] * n_bins + bins[kept]
        full = np.bincount(place, minlength=cells.n_groups * n_bins) > settings.cells_per_bin
        crowded = np.flatnonzero(full[place])
        order = crowded[np.lexsort((crowded, -cells.charge[kept[crowded]], place[crowded]))]
        new_bin = np.diff(place[order], prepend=-1) != 0
        rank = np.arange(len(order)) - np.maximum.accumulate(np.where(new_bin, np.arange(len(order)), 0))
        kept = np.delete(kept, order[rank >= settings.cells_per_bin])
    return cells.select(kept), bins[kept]


def smooth(histogram: Float64Array, settings: ClusterSettings) -> Float64Array:
    """Smooth along phi, normalise to the area of a trigger cell, smooth along r/z; histogram: (groups, n_rz, n_phi)."""
    half = (np.array(settings.phi_windows) - 1) // 2
    along_phi, weights = histogram.copy(), np.ones(settings.n_rz)
    for distance in range(1, int(half.max()) + 1):
        rows = np.flatnonzero(half >= distance)
        part = histogram[:, rows]
        along_phi[:, rows] += (np.roll(part, distance, axis=2) + np.roll(part, -distance, axis=2)) * 0.5**distance
        weights[rows] += 2 * 0.5**distance
    density = along_phi * (CELL_AREA / (weights * bin_area(settings)))[:, None]
    padded = np.pad(density, ((0, 0), (1, 1), (0, 0)))
    total = density + settings.rz_weight * (padded[:, :-2] + padded[:, 2:])
    there = np.full(settings.n_rz, 1 + 2 * settings.rz_weight)
    there[[0, -1]] -= settings.rz_weight  # one neighbour only
    found: Float64Array = total / there[:, None]
    return found


def bin_area(settings: ClusterSettings) -> Float64Array:
    """Area of a bin of each row in (x/z, y/z), (n_rz,)."""
    edges = np.linspace(*settings.rz_range, settings.n_rz + 1)
    area: Float64Array = np.pi * np.diff(edges**2) / settings.n_phi
    return area


def find_seeds(cells: Cells, bins: Int64Array, settings: ClusterSettings) -> Seeds:
    """Find bins above the threshold that no neighbour exceeds; a seed is at the mean position of the cells of its bin.

    Of equal neighbours the one of larger r/z wins, in a row that of smaller phi. A bin without cells of its own has its
    seed in the middle.
    """
    shape = (cells.n_groups, settings.n_rz, settings.n_phi)
    place = cells.group * (settings.n_rz * settings.n_phi) + bins
    n_bins = int(np.prod(shape))
    content = sums(place, cells.charge, n_bins)
    smoothed = smooth(content.reshape(shape), settings)
    padded = np.pad(np.pad(smoothed, ((0, 0), (0, 0), (1, 1)), mode="wrap"), ((0, 0), (1, 1), (0, 0)))
    largest = smoothed >= settings.seed_threshold
    for dr, dphi in _NEIGHBOURS:
        other = padded[:, 1 + dr : 1 + dr + settings.n_rz, 1 + dphi : 1 + dphi + settings.n_phi]
        first = dr > 0 or (dr == 0 and dphi < 0)  # which of two equal bins is left out
        largest &= smoothed > other if first else smoothed >= other
    seed = np.flatnonzero(largest)
    group, inside = np.divmod(seed, settings.n_rz * settings.n_phi)
    low, high = settings.rz_range
    radius = low + (inside // settings.n_phi + 0.5) * (high - low) / settings.n_rz
    phi = ((inside % settings.n_phi + 0.5) / settings.n_phi - 0.5) * 2 * np.pi
    filled = content[seed] > 0
    total = np.where(filled, content[seed], 1.0)
    x, y = (np.where(filled, sums(place, cells.charge * position, n_bins)[seed] / total, middle)
            for position, middle in ((cells.x, radius * np.cos(phi)), (cells.y, radius * np.sin(phi))))
    return Seeds(group, x, y, smoothed.ravel()[seed])
