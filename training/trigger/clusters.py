"""Three-dimensional clusters: cells of all layers within a radius of their nearest seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import Float64Array, Int64Array
from training.production.geometry import N_EM_LAYERS, trigger_layers
from training.trigger.cells import Cells, energy_per_mip, sums
from training.trigger.seeds import Seeds, enter, find_seeds
from training.trigger.system import ClusterSettings


@dataclass(frozen=True)
class Clusters:
    """Clusters, (n,).

    event (its number), endcap (0 at negative z), pt: transverse momentum in GeV by `energy_per_mip`; eta and phi: of
    the mean position, weighted by charge; layer_charge: (n, trigger layers) in transverse MIP; n_cells. Shapes of cells
    with more than the settings' charge near the seed: first_layer and last_layer, core: the longest run of successive
    trigger layers; width: root mean square of the distance from the mean in (x/z, y/z); peak: share of the largest
    layer; hadronic: share behind the electromagnetic section; spread: root mean square of the depth, in trigger layers.
    """

    event: Int64Array
    endcap: Int64Array
    pt: Float64Array
    eta: Float64Array
    phi: Float64Array
    layer_charge: npt.NDArray[np.float32]
    n_cells: Int64Array
    first_layer: Int64Array
    last_layer: Int64Array
    core: Int64Array
    width: Float64Array
    peak: Float64Array
    hadronic: Float64Array
    spread: Float64Array

    def __len__(self) -> int:
        return len(self.event)

    def select(self, rows: npt.NDArray[Any]) -> Clusters:
        """Return these clusters alone."""
        return Clusters(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def join(cls, parts: list[Clusters]) -> Clusters:
        """Concatenate at least one set of clusters."""
        return cls(**{field.name: np.concatenate([getattr(part, field.name) for part in parts])
                      for field in fields(cls)})


SHAPES = ("n_cells", "first_layer", "last_layer", "core", "width", "peak", "hadronic", "spread")
"""Fields that tell a shower of one particle from pile-up."""


def cluster(cells: Cells, first_event: int, settings: ClusterSettings) -> Clusters:
    """Find the clusters of all groups; groups are those of `Cells`, of events from `first_event` on."""
    used, bins = enter(cells, settings)
    seeds = find_seeds(used, bins, settings)
    owner, distance = nearest_seed(used, seeds, max(settings.radii))
    held = np.flatnonzero((owner >= 0) & (distance <= np.array((0.0, *settings.radii))[used.layer]))
    found = _summarise(used.select(held), owner[held], distance[held], seeds, first_event, settings)
    return found.select(np.flatnonzero(found.pt > settings.least_pt))


def nearest_seed(cells: Cells, seeds: Seeds, within: float) -> tuple[Int64Array, Float64Array]:
    """Nearest seed of the same group for each cell (-1 if there is none `within`), and the distance to it, (n,)."""
    from scipy.spatial import cKDTree  # noqa: PLC0415  (slow to start, and --help does without)

    owner = np.full(len(cells), -1, dtype=np.int64)
    distance = np.full(len(cells), np.inf)
    order = np.argsort(cells.group, kind="stable")
    cell_ends = np.searchsorted(cells.group[order], np.arange(cells.n_groups + 1))
    seed_ends = np.searchsorted(seeds.group, np.arange(cells.n_groups + 1))
    position = np.stack([cells.x, cells.y], axis=1)
    for group in range(cells.n_groups):
        first, last = seed_ends[group], seed_ends[group + 1]
        rows = order[cell_ends[group] : cell_ends[group + 1]]
        if first == last or not len(rows):
            continue
        tree = cKDTree(np.stack([seeds.x[first:last], seeds.y[first:last]], axis=1))
        distance[rows], index = tree.query(position[rows], distance_upper_bound=within * (1 + 1e-9))
        owner[rows] = np.where(index < last - first, first + index, -1)
    return owner, distance


def _summarise(
    cells: Cells, owner: Int64Array, distance: Float64Array, seeds: Seeds, first_event: int, settings: ClusterSettings
) -> Clusters:
    """Clusters of all seeds from their cells, also of seeds without any."""
    n, read = len(seeds), trigger_layers()
    number = np.full(read.max() + 1, -1)
    number[read] = np.arange(len(read))
    depth = number[cells.layer]

    def total(weight: npt.NDArray[Any], rows: npt.NDArray[Any] | slice = slice(None)) -> Float64Array:
        return sums(owner[rows], weight[rows], n)

    def by_layer(rows: npt.NDArray[Any] | slice) -> Float64Array:
        place = owner[rows] * len(read) + depth[rows]
        return sums(place, cells.charge[rows], n * len(read)).reshape(n, len(read))

    charge = by_layer(slice(None))
    whole = charge.sum(axis=1)
    safe = np.where(whole > 0, whole, 1.0)
    x, y = total(cells.charge * cells.x) / safe, total(cells.charge * cells.y) / safe
    shown = np.flatnonzero((cells.charge > settings.shape_charge) & (distance <= settings.shape_radius))
    shape = by_layer(shown)
    there = shape > 0
    any_there = there.any(axis=1)
    some = np.where(any_there, shape.sum(axis=1), 1.0)
    mean_x, mean_y = (total(cells.charge * position, shown) / some for position in (cells.x, cells.y))
    off = (cells.x - mean_x[owner]) ** 2 + (cells.y - mean_y[owner]) ** 2
    mean_depth = shape @ np.arange(len(read)) / some
    variance = shape @ np.arange(len(read)) ** 2 / some - mean_depth**2
    endcap = seeds.group % 2
    side = (2 * endcap - 1).astype(np.float64)
    return Clusters(
        event=first_event + seeds.group // 2, endcap=endcap, pt=charge @ energy_per_mip()[read],
        eta=side * np.arcsinh(1 / np.maximum(np.hypot(x, y), 1e-6)), phi=np.arctan2(y, x),
        layer_charge=charge.astype(np.float32), n_cells=np.bincount(owner, minlength=n),
        first_layer=np.where(any_there, read[np.argmax(there, axis=1)], 0),
        last_layer=np.where(any_there, read[len(read) - 1 - np.argmax(there[:, ::-1], axis=1)], 0),
        core=longest_run(there), width=np.sqrt(total(cells.charge * off, shown) / some),
        peak=shape.max(axis=1, initial=0.0) / some, hadronic=charge[:, read > N_EM_LAYERS].sum(axis=1) / safe,
        spread=np.sqrt(np.maximum(variance, 0.0)))


def longest_run(there: npt.NDArray[np.bool_]) -> Int64Array:
    """Length of the longest run of true in each row of (n, layers), (n,)."""
    run = longest = np.zeros(len(there), dtype=np.int64)
    for column in there.T:
        run = np.where(column, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest
