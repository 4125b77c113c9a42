"""Selection of the modules to train on, and the weight of each in the loss."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.arrays import BoolArray, IntArray
from models.calq_io import CalqTable
from models.config import DataConfig
from models.errors import InputError, nearest
from models.trigger_cells import CALQ_PER_MIPT, N_TRIGGER_CELLS
from training.production.modules import ALIASES
from training.production.transform import PLACE, is_whole

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def select(table: CalqTable, data: DataConfig) -> CalqTable:
    """Apply `mask_partials` and `mask_energies`.

    Raises InputError if a column that they need is missing or does not hold numbers.

    Examples:
        >>> import numpy as np
        >>> import pandas as pd
        >>> from models import Config
        >>> from models.calq_io import CalqTable
        >>> from training.data import select
        >>> table = CalqTable(np.ones((3, 48), dtype=np.uint32), pd.DataFrame({"SimEnergyFraction": [0.01, 0.2, 0.9]}))
        >>> config = Config.load("econ_t_5elink").override(data={"mask_energies": 0.05})
        >>> select(table, config.data).calq.shape
        (2, 48)
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
    """Whether each module is whole: by its type (F..: full) if there is a column for it, else by its position."""
    if "ModType" in extra:
        return extra["ModType"].astype(str).str.startswith("F").to_numpy(dtype=bool)
    place = extra.rename(columns=ALIASES)
    if not set(PLACE) <= set(place):
        raise InputError(f"data.mask_partials: needs the column ModType, or all of {', '.join(PLACE)}")
    return is_whole(*(_number(place, name, "data.mask_partials", whole=True).astype(np.int64) for name in PLACE))


def _number(extra: pd.DataFrame, name: str, key: str, whole: bool = False) -> npt.NDArray[Any]:
    if name not in extra:
        raise InputError(f"{key}: column {name} is missing{nearest(name, map(str, extra.columns))}")
    if extra[name].dtype.kind not in "iuf":
        raise InputError(f"{key}: column {name} holds {str(extra[name].iloc[0])[:40]!r}, expected numbers")
    values = extra[name].to_numpy()
    broken = np.flatnonzero((np.mod(values, 1) != 0) & whole)
    if len(broken):
        row = int(broken[0])
        raise InputError(f"{key}: row {row + 1}, column {name}: {values[row]}, expected a whole number")
    return values


def occupancy_weights(calq: IntArray, power: float) -> npt.NDArray[np.float32]:
    """Weight of each module in the loss, (n,) with mean 1, from charges (n, 48).

    It is proportional to the number of modules of the same occupancy to the power of -`power`; the occupancy is the
    number of cells above one transverse MIP.

    Examples:
        >>> import numpy as np
        >>> from training.data import occupancy_weights
        >>> calq = np.zeros((4, 48), dtype=int)
        >>> calq[:2] = 100  # two modules of 48 cells above the limit, two of none
        >>> occupancy_weights(calq, power=1).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    occupancy = (calq > CALQ_PER_MIPT).sum(axis=1)
    weight = np.bincount(occupancy, minlength=N_TRIGGER_CELLS + 1)[occupancy] ** -float(power)
    normalised: npt.NDArray[np.float32] = (weight / weight.mean()).astype(np.float32)
    return normalised
