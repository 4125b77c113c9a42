"""Events for the trigger, made by hand or shot from a gun, which needs no collisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.production.geometry import modules
from training.trigger.cells import Cells, positions
from training.trigger.events import Events, EventSample, Truth, part_file, read, simulate_part


def hand_made(*cells: tuple[float, float, int, float], n_groups: int = 2, group: int = 0) -> Cells:
    """Cells of (x/z, y/z, layer, transverse MIP)."""
    x, y, layer, charge = np.array(cells, dtype=np.float64).reshape(-1, 4).T
    return Cells(n_groups, np.full(len(x), group), x, y, layer.astype(np.int64), charge)


def no_truth() -> Truth:
    number, momentum = np.zeros(0, np.int64), np.zeros(0)
    return Truth(number, number, number, momentum, momentum, momentum)


def busy(n_events: int = 2, share: float = 0.02, largest: int = 3000, seed: int = 7) -> Events:
    """Events in which a share of all modules has charges of any size."""
    rng = np.random.default_rng(seed)
    n_modules = len(positions().layer)
    place = np.argwhere(rng.random((n_events, 2, n_modules)) < share)
    calq = np.exp(rng.uniform(0, np.log(largest), (len(place), 48))).astype(np.uint32)
    calq[rng.random(calq.shape) < 0.5] = 0
    event, endcap, module = place.astype(np.int64).T
    return Events(range(n_events), event, endcap, module, calq * modules().inside[module].astype(np.uint32), no_truth())


def shot(folder: Path, name: str = "electrons", n_events: int = 10) -> Events:
    """Ten events from the gun without pile-up."""
    path = part_file(folder, 0)
    if not path.exists():
        simulate_part(EventSample(name, 0.0), 0, path, folder / "collisions")
    return read(path, n_events)


