"""Files of module rows read and written piece by piece, so that memory does not grow with the files.

The charges stay in the order of the columns of the file: nothing here depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from emulator.links import ERX
from models.calq_csv import CALQ_COLUMNS, CsvFile, charge_names, check_columns
from models.calq_io import (
    SUFFIXES,
    check_filled,
    is_data_file,
    is_parquet,
    open_to_write,
    whole_charges,
)
from models.errors import InputError, nearest, parsing
from models.files import atomic_path
from training.production.modules import ALIASES, COLUMNS

ROWS = 200_000
"""Rows in memory at a time; about 40 MB."""

_TYPES: dict[str, pa.DataType] = {
    **{name: pa.uint32() for name in CALQ_COLUMNS},
    **{name: pa.int64() for name in (*COLUMNS, *ALIASES)},
    "SimEnergyFraction": pa.float64(),
    "isHDM": pa.bool_(),
}
_EXPECTED = {pa.int64(): "an integer", pa.float64(): "a number", pa.bool_(): "true or false"}


def data_files(paths: Iterable[str | Path]) -> list[Path]:
    """The files named, and those in the folders named; raises InputError if there is none."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(filter(is_data_file, path.iterdir())) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no data file in this folder, expected {', '.join(SUFFIXES)}")
        found += inside
    return found


def stem(path: Path) -> str:
    """Name of a file without its suffix."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def keep_inputs(inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Raise InputError if a file or folder to write is a file to read, by whatever name, or has one in it."""
    read = {_identity(place) for path in inputs for place in (path, *path.resolve().parents)}
    for output in outputs:
        place = output.resolve()  # the way there may lead through a folder that is made first
        if place.exists() and _identity(place) in read:
            raise InputError(f"{output}: would be written over while it is read, expected another --output")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def read_tables(paths: Iterable[str | Path], rows: int = ROWS) -> Iterator[pa.Table]:
    """Tables of exactly `rows` rows (the last one fewer) through all files; columns as in the first file.

    Raises InputError naming file and column if one is missing or of another type, and also the row and the value if
    that is no charge, or none at all in a column that has a type.
    """
    waiting: list[pa.Table] = []
    n_waiting, schema = 0, None
    for path in data_files(paths):
        read = 0
        for piece in _pieces(path, rows):
            if schema is None:
                schema, first = piece.schema, path
            for field in schema:
                if field.name not in piece.column_names:
                    raise InputError(f"{path}: column {field.name} is missing{nearest(field.name, piece.column_names)}")
                found = piece.schema.field(field.name).type
                if found != field.type:
                    raise InputError(f"{path}: column {field.name}: {found}, expected {field.type} as in {first}")
            piece = piece.select(schema.names)
            read += len(piece)
            while n_waiting + len(piece) >= rows:
                cut = rows - n_waiting
                yield pa.concat_tables([*waiting, piece.slice(0, cut)]).combine_chunks()
                waiting, n_waiting, piece = [], 0, piece.slice(cut)
            if len(piece):
                waiting.append(piece)
                n_waiting += len(piece)
        if not read:
            raise InputError(f"{path}: no rows, expected one per module")
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _pieces(path: Path, rows: int) -> Iterator[pa.Table]:
    start = 0
    for batch in (_parquet if is_parquet(path) else _csv)(path, rows):
        # Made anew: without what else Parquet says of columns, such as that they have no holes.
        table = whole_charges(str(path), pa.table(batch.columns, charge_names(batch.schema.names)), start)
        for index, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
            wanted = _TYPES.get(name)
            if wanted in _EXPECTED:
                check_filled(str(path), name, column, _EXPECTED[wanted], start)
            if wanted is not None and column.type != wanted:
                with parsing(path, f"{wanted} in column {name}"):
                    table = table.set_column(index, name, column.cast(wanted))
        yield table
        start += len(table)


def _parquet(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    with parsing(path, "Parquet"), pa_parquet.ParquetFile(path) as file:
        _check_names(path, charge_names(file.schema_arrow.names))
        yield from file.iter_batches(rows)


def _csv(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    file = CsvFile.open(str(path))
    _check_names(path, file.names)
    yield from file.batches(_TYPES)


def _check_names(path: Path, names: list[str]) -> None:
    check_columns(str(path), names)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"{path}: column {repeated} is given twice")


class TableWriter:
    """Appends tables to a CSV or Parquet file; made by `open_writer`. CSV goes without the link words."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.rows = 0
        self._path = path
        self._parquet = path.suffix == ".parquet"
        self._file = file
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        if not self._parquet:
            table = without_words(table)
        try:
            self._writer = self._writer or self._begin(table.schema)
            self._writer.write_table(table)
        except pa.ArrowException as error:
            raise InputError(f"{self._path}: a column cannot be written in this format: {error}") from None
        self.rows += len(table)

    def _begin(self, schema: pa.Schema) -> Any:
        if self._parquet:
            return pa_parquet.ParquetWriter(self._file, schema)
        # The header is written here because pyarrow would quote every name.
        self._file.write((",".join(schema.names) + "\n").encode())
        return pa_csv.CSVWriter(self._file, schema, write_options=pa_csv.WriteOptions(include_header=False))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


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
    if not str(path).endswith(SUFFIXES):
        raise InputError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    try:
        with atomic_path(path) as temporary:
            with open_to_write(temporary) as file, closing(TableWriter(file, Path(path))) as writer:
                yield writer
            if not writer.rows:
                raise _NoRows
    except _NoRows:
        if not may_be_empty:
            raise InputError(f"{path}: not written, no rows are left for it") from None
        Path(path).unlink(missing_ok=True)
