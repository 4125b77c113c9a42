"""Files of module rows read and written piece by piece, so that memory does not grow with the files.

The charges stay in the order of the columns of the file: nothing here depends on it.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from emulator.links import ERX
from models.calq_io import CALQ_COLUMNS, is_data_file
from models.errors import InputError, nearest, parsing
from models.files import atomic_path
from training.production.modules import COLUMNS

ROWS = 200_000
"""Rows in memory at a time; about 40 MB."""
SUFFIXES = (".csv", ".csv.gz", ".parquet")

_TYPES: dict[str, pa.DataType] = {
    **{name: pa.uint32() for name in CALQ_COLUMNS},
    **{name: pa.int64() for name in COLUMNS},
    "SimEnergyFraction": pa.float64(),
    "isHDM": pa.bool_(),
}


def data_files(paths: Iterable[str | Path]) -> list[Path]:
    """The files named, and those in the folders named; raises InputError if there is none."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(filter(is_data_file, path.iterdir())) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no data file in this folder, expected {', '.join(SUFFIXES)}")
        found += inside
    return found


def read_tables(paths: Iterable[str | Path], rows: int = ROWS, needed: Iterable[str] = ()) -> Iterator[pa.Table]:
    """Tables of exactly `rows` rows (the last one fewer) through all files; columns as in the first file.

    Raises InputError naming file and column if the charges or one of `needed` are missing, or a value does not fit.
    """
    waiting: list[pa.Table] = []
    n_waiting, names = 0, None
    for path in data_files(paths):
        for piece in _pieces(path, rows):
            if names is None:
                names = piece.column_names
                _check_names(path, names, [*CALQ_COLUMNS, *needed])
            _check_names(path, piece.column_names, names)
            piece = piece.select(names)
            while n_waiting + len(piece) >= rows:
                cut = rows - n_waiting
                yield pa.concat_tables([*waiting, piece.slice(0, cut)]).combine_chunks()
                waiting, n_waiting, piece = [], 0, piece.slice(cut)
            if len(piece):
                waiting.append(piece)
                n_waiting += len(piece)
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _check_names(path: Path, names: list[str], needed: Iterable[str]) -> None:
    missing = next((name for name in needed if name not in names), None)
    if missing is not None:
        raise InputError(f"{path}: column {missing} is missing{nearest(missing, names)}")


def _pieces(path: Path, rows: int) -> Iterator[pa.Table]:
    with parsing(path, "Parquet" if path.name.endswith(".parquet") else "CSV"):
        if path.name.endswith(".parquet"):
            with pa_parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(rows):
                    yield _with_types(path, pa.Table.from_batches([batch]))
            return
        _check_header(path)
        options = pa_csv.ConvertOptions(column_types=_TYPES, strings_can_be_null=False)
        with pa_csv.open_csv(path, convert_options=options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])


def _check_header(path: Path) -> None:
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as text:
        names = next(csv.reader([text.readline(1 << 16)]), [])
    if not any(name in names for name in CALQ_COLUMNS):
        raise InputError(f"{path}: line 1: no header, expected the columns {CALQ_COLUMNS[0]}..{CALQ_COLUMNS[-1]}")


def _with_types(path: Path, table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        wanted = _TYPES.get(field.name)
        if wanted is not None and field.type != wanted:
            table = table.set_column(index, field.name, table.column(index).cast(wanted))
    return table.replace_schema_metadata(None)


class TableWriter:
    """Appends tables to a CSV or Parquet file; made by `open_writer`. CSV goes without the link words."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._parquet = path.name.endswith(".parquet")
        self._file = path.open("wb")
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        if not self._parquet:
            table = without_words(table)
        if self._writer is None:
            if self._parquet:
                self._writer = pa_parquet.ParquetWriter(self._file, table.schema)
            else:
                # The header is written here because pyarrow would quote every name.
                self._file.write((",".join(table.column_names) + "\n").encode())
                options = pa_csv.WriteOptions(include_header=False)
                self._writer = pa_csv.CSVWriter(self._file, table.schema, write_options=options)
        self._writer.write_table(table)
        self.rows += len(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._file.close()


def without_words(table: pa.Table) -> pa.Table:
    """Without the columns of link words, which CSV files of charges do not have."""
    return table.drop_columns([name for name in ERX.columns if name in table.column_names])


class _NoRows(Exception):
    """Keeps an empty file from its name."""


@contextmanager
def open_writer(path: str | Path, may_be_empty: bool = False) -> Iterator[TableWriter]:
    """A writer whose file appears under its name when the block has succeeded.

    If no row was written there is no file, also no older one; raises InputError then unless `may_be_empty`.
    """
    if not str(path).endswith((".csv", ".parquet")):
        raise InputError(f"{path}: expected a name that ends in .csv or .parquet")
    try:
        with atomic_path(path) as temporary:
            writer = TableWriter(temporary)
            try:
                yield writer
            finally:
                writer.close()
            if not writer.rows:
                raise _NoRows
    except _NoRows:
        if not may_be_empty:
            raise InputError(f"{path}: not written, no rows are left for it") from None
        Path(path).unlink(missing_ok=True)
