"""Columns of modules from which the conditions of a decoder come, whatever production the modules are from."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.trigger_cells import N_TRIGGER_CELLS
from training.production.geometry import LARGEST_UV, N_LAYERS, module_index, modules
from training.production.modules import ALIASES

if TYPE_CHECKING:
    import pandas as pd

CELLS = "cells"
"""Column whose bit i says whether trigger cell i exists, and key of the same as (n, 48)."""
_PLACE = ("layer", "waferu", "waferv")
_THIN, _THICK = 0, 1  # wafer types of modules of which only the density is known


def condition_columns(extra: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """Find layer, waferu, waferv, eta, wafertype, (n,) each, and cells (n, 48), as far as a table has them.

    Where a table has no eta but the place of its modules, eta is that of the built-in geometry, with the sign of zside;
    where it has no wafer type but a density, types are 0 and 1.
    """
    table = extra.rename(columns={old: new for old, new in ALIASES.items() if new not in extra})
    found = {name: table[name].to_numpy() for name in (*_PLACE, "eta", "wafertype")
             if name in table and table[name].dtype.kind in "iuf"}
    if "eta" not in found and all(name in found for name in _PLACE):
        layer, u, v = (found[name].astype(np.int64) for name in _PLACE)
        near = (layer >= 1) & (layer <= N_LAYERS) & (np.abs(u) <= LARGEST_UV) & (np.abs(v) <= LARGEST_UV)
        row = module_index()[np.where(near, layer, 0), np.where(near, u, 0) + LARGEST_UV,
                             np.where(near, v, 0) + LARGEST_UV]
        side = table["zside"].to_numpy() if "zside" in table else 1
        found["eta"] = np.where(row >= 0, modules().eta.mean(axis=1)[row], 0.0) * side
    if "wafertype" not in found and "isHDM" in table:
        found["wafertype"] = np.where(table["isHDM"].to_numpy().astype(bool), _THIN, _THICK)
    if CELLS in table and table[CELLS].dtype.kind in "iu":
        bits = table[CELLS].to_numpy().astype(np.int64)
        found[CELLS] = (bits[:, None] >> np.arange(N_TRIGGER_CELLS) & 1).astype(bool)
    return found


def missing_conditions(wanted: Collection[str], columns: Collection[str]) -> list[str]:
    """Conditions of a decoder that a table does not have; the module sum is always there."""
    return [name for name in wanted if name != "sum" and name not in columns]
