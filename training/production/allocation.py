"""Number of output links of a module: by layer (signal allocation) or by module (pile-up allocation)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.chip import MAX_ELINKS
from models.errors import InputError, nearest, parsing

if TYPE_CHECKING:
    import pandas as pd

_MOST_BYTES = 4 << 20  # about ten times the list of the whole detector
_LONGEST_HEADER = 1 << 16
FEWEST_ELINKS = 2
"""Links of a module that the signal allocation does not name."""
SIGNAL_LINKS = {9: 5, 7: 4, 11: 4, 13: 3}
"""Links by layer, most of them at the shower maximum of electrons; all other layers have FEWEST_ELINKS."""


def signal_links(layer: IntArray) -> npt.NDArray[np.int64]:
    """Number of links of each module, by its layer."""
    table = np.full(64, FEWEST_ELINKS, dtype=np.int64)
    table[list(SIGNAL_LINKS)] = list(SIGNAL_LINKS.values())
    return table[np.clip(layer, 0, 63)]


@dataclass(frozen=True)
class ModuleLinks:
    """Module list of the pile-up allocation: by (layer, u, v), the links and whether the module is whole."""

    path: str
    links: pd.Series[int]
    whole: pd.Series[bool]

    @classmethod
    def read(cls, path: str | Path) -> ModuleLinks:
        """Read a CSV with columns Layer, ModU, ModV, ECONT_eTX and, for `whole`, ModType (full modules start with F).

        Raises InputError naming file, row, column and value.
        """
        import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

        if Path(path).stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: {Path(path).stat().st_size} bytes, expected a list of at most {_MOST_BYTES}")
        with Path(path).open("rb") as file:
            if len(file.readline(_LONGEST_HEADER)) == _LONGEST_HEADER:  # parsing millions of columns takes hours
                raise InputError(f"{path}: line 1: longer than {_LONGEST_HEADER} bytes, expected a header")
        with parsing(path, "CSV"), warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row that is longer than the header
            table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
        if table.empty:
            raise InputError(f"{path}: no rows, expected one per module")
        for name in ("Layer", "ModU", "ModV", "ECONT_eTX"):
            if name not in table:
                raise InputError(f"{path}: column {name} is missing{nearest(name, table.columns)}")
            wrong = ~table[name].str.fullmatch(r" *-?[0-9]{1,9} *")
            if wrong.any():
                row = int(np.argmax(wrong))
                raise InputError(f"{path}: data row {row + 1}, column {name}: {str(table[name][row])[:40]!r}, "
                                 "expected an integer")
            table[name] = table[name].astype(np.int64)
        bad = ~table.ECONT_eTX.between(0, MAX_ELINKS)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(f"{path}: data row {row + 1}, column ECONT_eTX: {table.ECONT_eTX[row]}, "
                             f"expected 0..{MAX_ELINKS}")
        table = table.set_index(["Layer", "ModU", "ModV"])
        repeated = table.index.duplicated()
        if repeated.any():
            row = int(np.argmax(repeated))
            raise InputError(f"{path}: data row {row + 1}: module {table.index[row]} is given twice")
        whole = table.ModType.str.startswith("F") if "ModType" in table else pd.Series(True, table.index)
        return cls(str(path), table.ECONT_eTX, whole)

    def links_of(self, layer: IntArray, u: IntArray, v: IntArray) -> npt.NDArray[np.int64]:
        """Number of links of each module; 0 for one that is not listed."""
        found = self.links.reindex(_index(layer, u, v)).fillna(0)
        return np.asarray(found, dtype=np.int64)

    def is_listed(self, layer: IntArray, u: IntArray, v: IntArray) -> npt.NDArray[np.bool_]:
        """Whether each module is listed."""
        return np.asarray(_index(layer, u, v).isin(self.links.index), dtype=np.bool_)

    def is_whole(self, layer: IntArray, u: IntArray, v: IntArray) -> npt.NDArray[np.bool_]:
        """Whether each module is listed as a full module."""
        found = self.whole.reindex(_index(layer, u, v), fill_value=False)
        return np.asarray(found, dtype=np.bool_)


def _index(layer: IntArray, u: IntArray, v: IntArray) -> pd.MultiIndex:
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    return pd.MultiIndex.from_arrays([np.asarray(layer), np.asarray(u), np.asarray(v)], names=["Layer", "ModU", "ModV"])
