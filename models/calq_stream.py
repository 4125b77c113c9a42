"""Module charges piece by piece: memory does not grow with the files. `write_latent_pieces` is the other end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from models.calq_csv import CALQ_COLUMNS, CsvFile, charge_names, check_columns, no_rows
from models.calq_io import CALQ_TYPES, Order, charges_of, input_files, is_parquet, whole_charges
from models.errors import parsing
from models.trigger_cells import N_TRIGGER_CELLS

ROWS = 1 << 17
"""Modules held in memory at a time, 25 MB of charges."""


def calq_pieces(
    paths: str | Path | Iterable[str | Path], order: Order = "tc", rows: int = ROWS
) -> Iterator[npt.NDArray[np.uint32]]:
    """Charges of files and folders as arrays (`rows`, 48) in image order, fewer rows in the last; `-` is stdin.

    Other columns are not read. Raises InputError as `read_calq` does, once it comes to what is wrong. A pipe is read
    whole before the first piece.
    """
    piece, filled = np.empty((rows, N_TRIGGER_CELLS), dtype=np.uint32), 0
    for path in input_files(paths):
        read = 0
        for batch in (_parquet if is_parquet(path) else _csv)(path, rows):
            part = charges_of(whole_charges(path, pa.Table.from_batches([batch]), read), order)
            read += len(part)
            while len(part):
                taken = part[: rows - filled]
                piece[filled : filled + len(taken)] = taken
                filled, part = filled + len(taken), part[len(taken) :]
                if filled == rows:
                    yield piece
                    piece, filled = np.empty_like(piece), 0
        if not read:
            raise no_rows(path)
    if filled:
        yield piece[:filled]


def _parquet(path: str, rows: int) -> Iterator[pa.RecordBatch]:
    # pre_buffer would keep every row group that was read.
    with parsing(path, "Parquet"), pa_parquet.ParquetFile(path, pre_buffer=False) as file:
        given = file.schema_arrow.names
        names = charge_names(given)
        check_columns(path, names)
        charges = [old for old, new in zip(given, names, strict=True) if new in CALQ_COLUMNS]
        for batch in file.iter_batches(rows, columns=charges):
            yield batch.rename_columns(charge_names(batch.schema.names))


def _csv(path: str, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG001  (as for Parquet)
    file = CsvFile.open(path, sys.stdin.buffer.read() if path == "-" else None)
    yield from file.batches(CALQ_TYPES, CALQ_COLUMNS)
