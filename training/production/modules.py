"""Table of modules: what each chip received and the charges it computed, and the files that hold them.

Parquet files hold everything; CSV files hold either the charges and `COLUMNS`, or the words of the input links.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emulator.codes import CHARGE
from emulator.front_end import N_ERX, calibrate, unpack
from emulator.links import ERX, open_output
from models.arrays import FloatArray, IntArray
from models.calq_csv import CALQ_COLUMNS
from models.calq_io import Order
from models.chip import CODES_PER_LINK, ENCODER_MUX
from models.trigger_cells import N_TRIGGER_CELLS, image_order

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("entry", "layer", "waferu", "waferv", "zside", "SimEnergyFraction", "isHDM", "n_elinks")
ALIASES = {"ModU": "waferu", "ModV": "waferv", "Layer": "layer"}
"""Alternative names of the columns that locate a module."""
LARGEST_CHARGE = (1 << 21) - 1
"""Larger charges get the same code: it holds 18 bits, after at most 3 dropped ones."""

SLOT = np.empty(N_TRIGGER_CELLS, dtype=np.int64)
"""Position of each trigger cell among the 48 codes of the input links, chosen so that the chip's mux setting for the
encoder takes each cell to its place in the image."""
SLOT[image_order()] = ENCODER_MUX


@dataclass(frozen=True)
class ModuleTable:
    """Data of n modules.

    erx: link words, (n, 12) uint32; calq: charges in image order, (n, 48) uint32; registers: calibration in TC order,
    (n, 48) uint16; info: COLUMNS.
    """

    erx: npt.NDArray[np.uint32]
    calq: npt.NDArray[np.uint32]
    registers: npt.NDArray[np.uint16]
    info: pd.DataFrame

    def __len__(self) -> int:
        return len(self.erx)

    def select(self, rows: npt.NDArray[Any]) -> ModuleTable:
        """Return the table of these rows alone."""
        info = self.info.iloc[rows].reset_index(drop=True)
        return ModuleTable(self.erx[rows], self.calq[rows], self.registers[rows], info)

    @classmethod
    def join(cls, tables: list[ModuleTable]) -> ModuleTable:
        """Concatenate tables."""
        import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

        return cls(np.concatenate([table.erx for table in tables]), np.concatenate([table.calq for table in tables]),
                   np.concatenate([table.registers for table in tables]),
                   pd.concat([table.info for table in tables], ignore_index=True))

    def to_arrow(self, order: Order = "tc") -> pa.Table:
        """Convert to Arrow: charges as columns in `order`, the columns of `info`, and the link words."""
        table = charges_to_arrow(self.calq, self.info, order)
        for i, name in enumerate(ERX.columns):
            table = table.append_column(name, pa.array(self.erx[:, i]))
        return table

    def write_erx(self, path: str | Path) -> None:
        """Write link words as `econ-t chip` reads them, in the row order of the other files; `-` is stdout."""
        with open_output(path) as file:
            file.write(ERX.header())
            file.write(ERX.rows(self.erx))


def charges_to_arrow(calq: npt.NDArray[np.uint32], info: pd.DataFrame, order: Order) -> pa.Table:
    """Convert charges (n, 48) in image order to columns in `order`, followed by those of `info`."""
    columns = np.argsort(image_order()) if order == "tc" else np.arange(N_TRIGGER_CELLS)
    arrays = {name: pa.array(calq[:, column]) for name, column in zip(CALQ_COLUMNS, columns, strict=True)}
    arrays |= {str(name): pa.array(info[name].to_numpy()) for name in info}
    return pa.table(arrays)


def encode(charge: IntArray, high_density: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Encode charges (n, 48), dropping 3 bits for modules of high density (n,) and 1 for the others."""
    codes = np.empty(charge.shape, dtype=np.uint8)
    for dense in (False, True):
        rows = np.flatnonzero(high_density == dense)
        codes[rows] = _code_table(dense)[np.minimum(charge[rows], LARGEST_CHARGE)]
    return codes


_TABLES: dict[bool, npt.NDArray[np.uint8]] = {}


def _code_table(high_density: bool) -> npt.NDArray[np.uint8]:
    if high_density not in _TABLES:
        every = CHARGE.encode(np.arange(LARGEST_CHARGE + 1), dropped_bits=3 if high_density else 1)
        _TABLES[high_density] = every.astype(np.uint8)
    return _TABLES[high_density]


def pack(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Pack codes (n, 48) in TC order into link words (n, 12) with headers of 0."""
    words = np.zeros((len(codes), N_ERX), dtype=np.uint32)
    cell_of_slot = np.argsort(SLOT)
    for place in range(CODES_PER_LINK):
        words |= codes[:, cell_of_slot[place::CODES_PER_LINK]].astype(np.uint32) << np.uint32(CHARGE.bits * place)
    return words


def calibration(eta: FloatArray) -> IntArray:
    """Calibration registers that make charges transverse: 1 / cosh(eta) of the trigger cells, with 2048 = 1.0."""
    return np.rint(2048 / np.cosh(eta)).astype(np.int64)


def chip_charges(erx: npt.NDArray[np.uint32], calibration_tc: IntArray, high_density: npt.NDArray[np.bool_]
                 ) -> npt.NDArray[np.uint32]:
    """CALQ (n, 48) in image order, as computed by the chip's front end. calibration_tc: (n, 48) in TC order."""
    calq = np.empty((len(erx), N_TRIGGER_CELLS), dtype=np.uint32)
    mux = np.array(ENCODER_MUX)
    for dense in (False, True):
        rows = np.flatnonzero(high_density == dense)
        calq[rows] = calibrate(unpack(erx[rows]), mux, calibration_tc[rows][:, image_order()], dense)
    return calq
