"""Places of generated modules: from a list of modules, their links, and from a geometry file eta, type and density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from models.arrays import BoolArray, IntArray
from models.calq_io import CalqTable
from models.trigger_cells import image_order
from training.production.geometry_file import GeometryFile, ModuleList
from training.production.transform import PLACE, columns_of, set_column, with_geometry

if TYPE_CHECKING:
    import pandas as pd


def with_modules(table: pa.Table, modules: ModuleList) -> pa.Table:
    """Set the links of modules that have a place; from a geometry file also wafertype, cells, eta and isHDM.

    Modules that are not in the list have 0 links; the file says nothing of them, and they keep their density.
    """
    place = columns_of(table, PLACE, "generated modules")
    table = set_column(table, "n_elinks", modules.links_of(*place))
    if not isinstance(modules, GeometryFile):
        return table
    row = modules.row_of(*place)
    known = table["isHDM"].to_numpy() if "isHDM" in table.column_names else np.zeros(len(table), dtype=bool)
    dense = pa.array(np.where(row >= 0, modules.high_density[row], known))
    table = with_geometry(table, modules, (place[0], place[1], place[2]))
    if "isHDM" in table.column_names:
        return table.set_column(table.column_names.index("isHDM"), "isHDM", dense)
    return table.append_column("isHDM", dense)


def placed(modules: CalqTable, listed: ModuleList, seed: int) -> CalqTable:
    """The same for generated modules in memory; modules without a place get one, drawn from those with links.

    Places are drawn evenly, in all three sectors and both endcaps, whatever the charges; cells that a partial module
    does not have lose theirs.
    """
    calq, extra = modules.calq, modules.extra
    drawn = not set(PLACE) <= set(extra.columns)
    if drawn:
        extra = _drawn(listed, len(calq), seed)
    table = with_modules(pa.Table.from_pandas(extra, preserve_index=False), listed).to_pandas()
    if drawn and isinstance(listed, GeometryFile):
        cells = listed.cells_of(*(table[name].to_numpy() for name in PLACE))
        calq = np.where(cells[:, image_order()], calq, 0).astype(calq.dtype)
    return CalqTable(calq, table, f"{modules.source}, modules of {listed.path}")


def _drawn(listed: ModuleList, n: int, seed: int) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    rng = np.random.default_rng([seed, 2])
    if isinstance(listed, GeometryFile):
        read = np.flatnonzero(listed.links > 0)
        row = rng.choice(read, n)
        layer, u, v = listed.plane[row], listed.u[row], listed.v[row]
        sector = rng.integers(3, size=n)
        for turn in (1, 2):
            u, v = _turned(u, v, sector >= turn)
    else:
        index = listed.links[listed.links > 0].index.to_frame(index=False).to_numpy()
        layer, u, v = index[rng.integers(len(index), size=n)].T
    return pd.DataFrame({"layer": layer, "waferu": u, "waferv": v, "zside": rng.choice([-1, 1], n)})


def _turned(u: IntArray, v: IntArray, which: BoolArray) -> tuple[IntArray, IntArray]:
    """The places of some of the modules turned by a third."""
    return np.where(which, -v, u), np.where(which, u - v, v)
