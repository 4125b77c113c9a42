"""Module charges in, latents out, piece by piece, so that memory does not grow with the files."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from models.calq_csv import CALQ_COLUMNS, CsvFile, charge_names, check_columns, no_rows
from models.calq_io import CALQ_TYPES, Order, charges_of, input_files, is_parquet, open_to_write, whole_charges
from models.errors import parsing
from models.files import atomic_path
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
    with parsing(path, "Parquet"), pa_parquet.ParquetFile(path) as file:
        given = file.schema_arrow.names
        names = charge_names(given)
        check_columns(path, names)
        charges = [old for old, new in zip(given, names, strict=True) if new in CALQ_COLUMNS]
        for batch in file.iter_batches(rows, columns=charges):
            yield batch.rename_columns(charge_names(batch.schema.names))


def _csv(path: str, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG001  (as for Parquet)
    file = CsvFile.open(path, sys.stdin.buffer.read() if path == "-" else None)
    yield from file.batches(CALQ_TYPES, CALQ_COLUMNS)


def write_latent_pieces(path: str | Path, pieces: Iterable[npt.NDArray[np.integer[Any]]]) -> None:
    """Write latents (n, outputs) that follow one another, as `write_latents` writes them at once; `-` is stdout.

    Nothing appears before all pieces are there.
    """
    with _whole_or_nothing(path) as file:
        tables = (pa.table({f"latent_{i}": pa.array(column) for i, column in enumerate(piece.T)}) for piece in pieces)
        first = next(tables)
        if str(path).endswith(".parquet"):
            writer: Any = pa_parquet.ParquetWriter(file, first.schema)
        else:
            file.write((",".join(first.column_names) + "\n").encode())  # pyarrow would quote every name
            writer = pa_csv.CSVWriter(file, first.schema, write_options=pa_csv.WriteOptions(include_header=False))
        with closing(writer):
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)


@contextmanager
def _whole_or_nothing(path: str | Path) -> Iterator[IO[bytes]]:
    if str(path) != "-":
        with atomic_path(path) as temporary, open_to_write(temporary) as file:
            yield file
        return
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
