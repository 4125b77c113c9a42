"""Trigger cells of the whole detector: where they are, seen from the collision point, and what a MIP is worth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import Float64Array, FloatArray, Int64Array
from models.trigger_cells import CALQ_PER_MIPT, COORDINATES
from training.production.geometry import N_LAYERS, layers, module_centre, modules, trigger_layers
from training.trigger.events import Events


@dataclass(frozen=True)
class Positions:
    """Positions of all trigger cells: x/z and y/z with |z|, (2 endcaps, modules, 48), and the layer of each module."""

    x: FloatArray
    y: FloatArray
    layer: Int64Array


@cache
def positions() -> Positions:
    """Positions in the detector's coordinates, unlike those of `geometry`, which mirrors x at negative z."""
    here = modules()
    z = layers().z[here.layer - 1][:, None]
    offset = COORDINATES - COORDINATES.mean(axis=0)
    centre = module_centre(here.u, here.v)
    x, y = ((centre[:, axis, None] + offset[None, :, axis]) / z for axis in (0, 1))
    return Positions(np.stack([-x, x]).astype(np.float32), np.stack([y, y]).astype(np.float32),
                     here.layer.astype(np.int64))


@dataclass(frozen=True)
class Cells:
    """Trigger cells with a charge, (n,).

    group: event (from 0) and endcap as 2 event + endcap, of `n_groups`; x and y: x/z and y/z; layer: from 1; charge: in
    transverse MIP.
    """

    n_groups: int
    group: Int64Array
    x: FloatArray
    y: FloatArray
    layer: Int64Array
    charge: FloatArray

    def __len__(self) -> int:
        return len(self.group)

    def select(self, rows: npt.NDArray[Any]) -> Cells:
        """Return these cells alone."""
        return Cells(self.n_groups, self.group[rows], self.x[rows], self.y[rows], self.layer[rows], self.charge[rows])


def cells(events: Events, charge: FloatArray, least: float = 0.0) -> Cells:
    """Cells of all events from charges (n, 48) of the rows of `events`, in CALQ; `least`: charge in transverse MIP."""
    row, cell = np.nonzero((charge >= least * CALQ_PER_MIPT) & (charge > 0))
    endcap, module = events.endcap[row], events.module[row]
    where = positions()
    group = 2 * (events.event[row] - events.numbers.start) + endcap
    return Cells(2 * len(events.numbers), group, where.x[endcap, module, cell], where.y[endcap, module, cell],
                 where.layer[module], (charge[row, cell] / CALQ_PER_MIPT).astype(np.float32))


@cache
def energy_per_mip() -> Float64Array:
    """Energy in GeV that a MIP loses in the absorber between a trigger layer and the one before, by layer, (51,).

    Zero for layers that are not read. It is the usual start of a calibration: the loss of a minimum-ionising particle.
    """
    material = layers()
    loss = np.concatenate([[0.0], np.cumsum(material.radiation_lengths * material.critical_energy)])
    read = trigger_layers()
    found = np.zeros(N_LAYERS + 1)
    found[read] = np.diff(loss[np.concatenate([[0], read])])
    return found


def sums(place: Int64Array, values: npt.NDArray[Any], n: int) -> Float64Array:
    """Sum of the values at each place 0..n-1, (n,)."""
    return np.bincount(place, values, n).astype(np.float64)
