"""Files of module rows, read and written piece by piece so that memory does not grow with the files.

Charges keep the column order of the file: nothing here depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import takewhile
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
"""Rows held in memory at a time, about 40 MB."""

_TYPES: dict[str, pa.DataType] = {
    **{name: pa.uint32() for name in CALQ_COLUMNS},
    **{name: pa.int64() for name in (*COLUMNS, *ALIASES)},
    "SimEnergyFraction": pa.float64(),
    "isHDM": pa.bool_(),
}
_EXPECTED = {pa.int64(): "an integer", pa.float64(): "a number", pa.bool_(): "true or false"}


def data_files(paths: Iterable[str | Path]) -> list[Path]:
    """List the given files and all data files in the given folders; raises InputError for a folder without any."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(filter(is_data_file, path.iterdir())) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no data file in this folder, expected at least one of {', '.join(SUFFIXES)}")
        found += inside
    return found


def stem(path: Path) -> str:
    """Name of a data file without its suffix."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Names for results of files: those of the files, without suffix, after the folders in which equal ones differ.

    For `job_1/out/calq.csv` and `job_2/out/calq.csv` these are `job_1_calq` and `job_2_calq`.
    """
    names = [stem(path) for path in paths]
    folders = [path.absolute().parent.parts for path in paths]
    for name in {name for name in names if names.count(name) > 1}:
        rows = [row for row, one in enumerate(names) if one == name]
        begin = _n_equal([folders[row] for row in rows])
        end = _n_equal([folders[row][begin:][::-1] for row in rows])
        kinds = {paths[row].name.removeprefix(name) for row in rows}
        for row in rows:
            kind = paths[row].name.removeprefix(name).split(".") if len(kinds) > 1 else []
            inner = folders[row][begin : len(folders[row]) - end]
            names[row] = "_".join([*inner, name, *kind[1:]])
    return names


def _n_equal(paths: Sequence[tuple[str, ...]]) -> int:
    """Number of folders with which all paths begin."""
    columns = (set(names) for names in zip(*paths, strict=False))
    return sum(1 for _ in takewhile(lambda names: len(names) == 1, columns))


def keep_inputs(inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Raise InputError if an output is also an input, under whatever name, or is a folder that contains one."""
    read = {_identity(place) for path in inputs for place in (path, *path.resolve().parents)}
    for output in outputs:
        place = output.resolve()  # the path may lead through a folder that does not exist yet
        if place.exists() and _identity(place) in read:
            raise InputError(f"{output}: is also an input; choose another --output")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def read_tables(paths: Iterable[str | Path], rows: int = ROWS) -> Iterator[pa.Table]:
    """Read all files as tables of exactly `rows` rows (fewer in the last), with the columns of the first file.

    Raises InputError naming file and column if a column is missing or has another type, and also row and value if that
    is not a charge, or is missing in a typed column.
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
            rest = piece.select(schema.names)
            read += len(rest)
            while n_waiting + len(rest) >= rows:
                cut = rows - n_waiting
                yield pa.concat_tables([*waiting, rest.slice(0, cut)]).combine_chunks()
                waiting, n_waiting, rest = [], 0, rest.slice(cut)
            if len(rest):
                waiting.append(rest)
                n_waiting += len(rest)
        if not read:
            raise InputError(f"{path}: no rows, expected one per module")
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _pieces(path: Path, rows: int) -> Iterator[pa.Table]:
    start = 0
    for batch in (_parquet if is_parquet(path) else _csv)(path, rows):
        # Rebuilt without the metadata of Parquet, such as that a column has no nulls.
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
    # pre_buffer would keep every row group that was read.
    with parsing(path, "Parquet"), pa_parquet.ParquetFile(path, pre_buffer=False) as file:
        _check_names(path, charge_names(file.schema_arrow.names))
        yield from file.iter_batches(rows)


def _csv(path: Path, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG001  (as for Parquet)
    file = CsvFile.open(str(path))
    _check_names(path, file.names)
    yield from file.batches(_TYPES)


def _check_names(path: Path, names: list[str]) -> None:
    check_columns(str(path), names)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"{path}: column {repeated} is given twice")


class TableWriter:
    """Writer that appends tables to a CSV or Parquet file, made by `open_writer`; CSV omits the link words."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.rows = 0
        self._path = path
        self._parquet = path.suffix == ".parquet"
        self._file = file
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Append a table; raises InputError if the format cannot hold one of its columns."""
        if not self._parquet:
            table = without_words(table)
        try:
            self._writer = self._writer or self._begin(table.schema)
            self._writer.write_table(table)
        except pa.ArrowException as error:
            raise InputError(f"{self._path}: this format cannot hold one of the columns: {error}") from None
        self.rows += len(table)

    def _begin(self, schema: pa.Schema) -> Any:
        if self._parquet:
            return pa_parquet.ParquetWriter(self._file, schema)
        # pyarrow would quote every name in the header.
        self._file.write((",".join(schema.names) + "\n").encode())
        return pa_csv.CSVWriter(self._file, schema, write_options=pa_csv.WriteOptions(include_header=False))

    def close(self) -> None:
        """Finish the content of the file, which stays open."""
        if self._writer is not None:
            self._writer.close()


def without_words(table: pa.Table) -> pa.Table:
    """Drop the link words, which CSV files of charges do not have."""
    return table.drop_columns([name for name in ERX.columns if name in table.column_names])


class _NoRowsError(Exception):
    """Raised to discard a file without rows."""


@contextmanager
def open_writer(path: str | Path, may_be_empty: bool = False) -> Iterator[TableWriter]:
    """Open a writer whose file appears under its name once the block has succeeded.

    If no row was written, there is no file, and an older one is deleted; this raises InputError unless `may_be_empty`.
    """
    if not str(path).endswith(SUFFIXES):
        raise InputError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    try:
        with atomic_path(path) as temporary:
            with open_to_write(temporary) as file, closing(TableWriter(file, Path(path))) as writer:
                yield writer
            if not writer.rows:
                raise _NoRowsError
    except _NoRowsError:
        if not may_be_empty:
            raise InputError(f"{path}: not written, as no rows are left") from None
        Path(path).unlink(missing_ok=True)
