"""Which of the modules that were read are trained on, and how much each of them counts in the loss."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.arrays import BoolArray, IntArray
from models.calq_io import CalqTable
from models.config import DataConfig
from models.errors import InputError
from models.trigger_cells import CALQ_PER_MIPT, N_TRIGGER_CELLS

log = logging.getLogger(__name__)


def select(table: CalqTable, data: DataConfig) -> CalqTable:
    """The modules that `mask_partials` and `mask_energies` leave.

    Raises InputError if a column that says it is missing or no number.
    """
    keep = np.ones(len(table.calq), dtype=bool)
    if data.mask_partials:
        keep &= _whole(table.extra)
    if data.mask_energies is not None:
        keep &= _number(table.extra, "SimEnergyFraction", "data.mask_energies") > data.mask_energies
    if keep.all():
        return table
    log.info("%d of %d modules are masked", np.count_nonzero(~keep), len(keep))
    return table.rows(keep)


def _whole(extra: pd.DataFrame) -> BoolArray:
    """Whether modules are not cut: by their type (F..: full) if the rows tell it, else by where they are."""
    from training.production.transform import ALIASES, PLACE, is_whole

    if "ModType" in extra:
        return extra["ModType"].astype(str).str.startswith("F").to_numpy(dtype=bool)
    place = extra.rename(columns=ALIASES)
    if not set(PLACE) <= set(place):
        raise InputError(f"data.mask_partials: no column ModType and not all of {', '.join(PLACE)} beside the charges, "
                         "expected one or the others")
    return is_whole(*(_number(place, name, "data.mask_partials", whole=True).astype(np.int64) for name in PLACE))


def _number(extra: pd.DataFrame, name: str, key: str, whole: bool = False) -> npt.NDArray[Any]:
    if name not in extra:
        raise InputError(f"{key}: no column {name} beside the charges, expected it")
    if extra[name].dtype.kind not in "iuf":
        raise InputError(f"{key}: column {name} holds {str(extra[name].iloc[0])[:40]!r}, expected numbers")
    values = extra[name].to_numpy()
    broken = np.flatnonzero(np.mod(values, 1) != 0) if whole else []
    if len(broken):
        row = int(broken[0])
        raise InputError(f"{key}: row {row + 1}, column {name}: {values[row]}, expected a whole number")
    return values


def occupancy_weights(calq: IntArray, power: float) -> npt.NDArray[np.float32]:
    """Weight of each module in the loss, (n,) with mean 1, from charges (n, 48).

    With the occupancy being the number of cells above one transverse MIP, it is proportional to the number of modules
    of the same occupancy to the power of -`power`.
    """
    occupancy = (calq > CALQ_PER_MIPT).sum(axis=1)
    weight = np.bincount(occupancy, minlength=N_TRIGGER_CELLS + 1)[occupancy] ** -float(power)
    return (weight / weight.mean()).astype(np.float32)
