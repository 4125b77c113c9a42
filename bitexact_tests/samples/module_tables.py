"""Tables of modules as the production of data reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from models.calq_io import CALQ_COLUMNS
from training.production.geometry import modules

MODULE_LIST = "Layer,ModU,ModV,ECONT_eTX,ModType\n9,1,2,7,FO\n9,1,3,13,aO\n10,0,0,0,FO\n11,5,5,1,FI\n"
"""A list of modules with their links, as the trigger has it."""


def rows(n: int, seed: int = 1) -> pd.DataFrame:
    """Rows of real modules; the first charge is the number of the row."""
    rng = np.random.default_rng(seed)
    which = rng.integers(len(modules().layer), size=n)
    table = pd.DataFrame(rng.integers(0, 50, (n, 48)) * (rng.random((n, 48)) < 0.1), columns=CALQ_COLUMNS)
    table["CALQ_0"] = np.arange(n)
    return table.assign(entry=np.arange(n) // 7, layer=modules().layer[which], waferu=modules().u[which],
                        waferv=modules().v[which], zside=1, SimEnergyFraction=rng.random(n) * (rng.random(n) < 0.5),
                        isHDM=modules().high_density[which], n_elinks=0)


def save(path: Path, table: pd.DataFrame) -> Path:
    """Write a table by the suffix of its path."""
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path
