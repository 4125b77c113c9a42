"""Trigger-primitive ntuples as the L1 trigger simulation writes them, with modules of the real detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.production.geometry import cell_from_uv, modules
from training.production.ntuple import TREE

Event = dict[str, np.ndarray]
"""Branches of one event."""
_U, _V = (axis.ravel() for axis in np.meshgrid(np.arange(8), np.arange(8), indexing="ij"))
_CELL = cell_from_uv(_U, _V)
CELL_U, CELL_V = (axis[_CELL >= 0][np.argsort(_CELL[_CELL >= 0])].astype(np.int32) for axis in (_U, _V))


def event(rng: np.random.Generator, n_modules: int, n_cells: int = 48) -> Event:
    """Some modules of the detector with charges in n_cells random cells each."""
    row = rng.choice(len(modules().layer), n_modules, replace=False)
    module = np.repeat(row, n_cells)
    side = np.repeat(rng.choice([-1, 1], n_modules), n_cells)
    cell = np.concatenate([rng.permutation(48)[:n_cells] for _ in range(n_modules)])
    order = rng.permutation(len(module))
    columns = {
        "tc_zside": side, "tc_layer": modules().layer[module], "tc_waferu": modules().u[module],
        "tc_waferv": modules().v[module], "tc_cellu": CELL_U[cell], "tc_cellv": CELL_V[cell],
        "tc_subdet": np.where(modules().layer[module] > 28, 2, 1),
    }
    result = {name: column[order].astype(np.int32) for name, column in columns.items()}
    charge = rng.exponential(300, len(module)) * (rng.random(len(module)) < 0.5)
    result["tc_uncompressedCharge"] = charge.astype(np.uint32)
    result["tc_simenergy"] = rng.exponential(1, len(module)).astype(np.float32)
    result["tc_eta"] = (side * modules().eta[module, cell])[order].astype(np.float32)
    return result


def write(path: Path, events: list[Event], numbers: list[int] | None = None, tree: str = TREE) -> Path:
    """Write the events into a file of one tree; `numbers` are those of the branch `event`."""
    import uproot  # not on every machine

    with uproot.recreate(path) as file:
        file.mktree(tree, branches(events, numbers))
    return path


def branches(events: list[Event], numbers: list[int] | None = None) -> dict[str, Any]:
    """Awkward arrays by branch."""
    import awkward as ak  # not on every machine

    columns: dict[str, Any] = {name: ak.Array([one[name] for one in events]) for name in events[0]}
    if numbers is not None:
        columns["event"] = np.array(numbers, dtype=np.uint64)
    return columns
