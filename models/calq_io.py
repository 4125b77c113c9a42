"""Reading and writing module charges (CALQ) and latents as CSV or Parquet.

In memory charges are always in image order, the order of the encoder's inputs; `order` says in which order the 48
columns of a file stand: `tc` (trigger cell 0..47) or `image` (after the chip's mux). It is never guessed.
"""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from models.calq_csv import (
    CALQ_COLUMNS,
    EXPECTED_CHARGE,
    MAX_CALQ,
    CsvFile,
    charge_names,
    check_columns,
    no_rows,
)
from models.errors import InputError, parsing
from models.files import atomic_path
from models.notebook import wafer_svg
from models.trigger_cells import N_TRIGGER_CELLS, image_order, to_trigger_cells
from models.wording import counted

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["tc", "image"]

SUFFIXES = (".csv", ".csv.gz", ".parquet")
"""Of data files."""
_MOST_ROWS = 1 << 25
_ROW_GROUP = 1 << 20  # rows that pyarrow writes together
CALQ_TYPES = {name: pa.uint32() for name in CALQ_COLUMNS}
"""How the charges of a CSV file are read."""


def column_order(given: str | None, configured: Order) -> Order:
    """The order of a file's columns: what the command line gives, else what the configuration says."""
    if given is None:
        return configured
    if given not in ("tc", "image"):
        raise InputError(f"--order {given}, expected tc or image")
    return "tc" if given == "tc" else "image"


@dataclass(frozen=True)
class CalqTable:
    """Charges of n modules: calq (n, 48) uint32 in image order, and the other columns of the files, n rows."""

    calq: npt.NDArray[np.uint32]
    extra: pd.DataFrame
    source: str = ""
    """Where they come from, in words."""

    def rows(self, which: npt.NDArray[Any] | slice) -> CalqTable:
        """Some of the modules, by row numbers, a mask or a slice."""
        return CalqTable(self.calq[which], self.extra.iloc[which].reset_index(drop=True), self.source)

    def __repr__(self) -> str:
        columns = ", ".join(map(str, self.extra.columns)) or "none"
        return f"<CalqTable of {counted(len(self.calq), 'module')}, further columns: {columns}>"

    def _repr_html_(self) -> str:
        mean = to_trigger_cells(self.calq).mean(axis=0) if len(self.calq) else np.zeros(N_TRIGGER_CELLS)
        return f"<p>Mean charges of {counted(len(self.calq), 'module')}, in CALQ</p>{wafer_svg(np.round(mean, 2))}"


def read_calq(
    paths: str | Path | Iterable[str | Path], order: Order = "tc", nrows_per_file: int | None = None
) -> CalqTable:
    """Read files and folders of CSV (with or without header) or Parquet; `-` is CSV from stdin.

    `nrows_per_file` keeps the first rows of each file. Raises InputError naming file, line, column and value.

    Examples:
        >>> import numpy as np
        >>> from models import read_calq, write_calq
        >>> write_calq("calq.csv", np.full((3, 48), 35))
        >>> read_calq("calq.csv").calq.shape
        (3, 48)
    """
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    sources = [paths] if isinstance(paths, str | Path) else list(paths)
    files = input_files(sources)
    tables = [_read_file(path, nrows_per_file) for path in files]
    calq = np.empty((sum(len(table) for table in tables), N_TRIGGER_CELLS), dtype=np.uint32)
    start = 0
    for table in tables:
        charges_of(table, order, calq[start : start + len(table)])
        start += len(table)
    extras = []
    for path, table in zip(files, tables, strict=True):
        with parsing(path, "a table"):
            extras.append(table.drop_columns(CALQ_COLUMNS).to_pandas())
    extra = pd.concat(extras, ignore_index=True) if len(extras) > 1 else extras[0]
    return CalqTable(calq, extra, ", ".join(map(str, sources)))


def charges_of(
    table: pa.Table, order: Order, into: npt.NDArray[np.uint32] | None = None
) -> npt.NDArray[np.uint32]:
    """Charges (n, 48) in image order from the columns of a table, which stand in `order`."""
    columns = image_order() if order == "tc" else np.arange(N_TRIGGER_CELLS)
    calq = np.empty((len(table), N_TRIGGER_CELLS), dtype=np.uint32) if into is None else into
    for channel, column in enumerate(columns):
        calq[:, channel] = table[CALQ_COLUMNS[column]].to_numpy()
    return calq


def input_files(paths: str | Path | Iterable[str | Path]) -> list[str]:
    """Files and all data files of folders, `-` for stdin; raises InputError if there are none."""
    files = []
    for source in map(str, [paths] if isinstance(paths, str | Path) else paths):
        path = Path(source)
        if source == "-" or not path.is_dir():
            files.append(source)
            continue
        found = sorted(str(file) for file in path.iterdir() if is_data_file(file))
        if not found:
            raise InputError(f"{source}: no data file in this folder, expected {', '.join(SUFFIXES)}")
        files += found
    if not files:
        raise InputError("no input file given, expected CALQ files (.csv, .csv.gz, .parquet) or a folder of them")
    return files


def is_data_file(file: Path) -> bool:
    """Whether a file of a folder is one to read: hidden ones are what a writer that was killed left behind."""
    return file.name.endswith(SUFFIXES) and not file.name.startswith(".")


def _read_file(path: str, nrows: int | None) -> pa.Table:
    table = _read_parquet(path) if is_parquet(path) else _read_csv(path, nrows)
    if not len(table):
        raise no_rows(path)
    if nrows is not None:
        table = table.slice(0, nrows)
    return whole_charges(path, table)


def is_parquet(path: str | Path) -> bool:
    """Whether a file is Parquet, by its content or else by its name; a pipe is CSV."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(4) == b"PAR1" or str(path).endswith(".parquet")


def whole_charges(path: str, table: pa.Table, start: int = 0) -> pa.Table:
    """The table with integers as charges, also where it holds them as floats.

    Raises InputError naming row (`start` rows of the file came before), column and value of what is not a charge.
    """
    for name in CALQ_COLUMNS:
        column = table[name]
        floats = pa.types.is_float32(column.type) or pa.types.is_float64(column.type)
        if not floats and not pa.types.is_integer(column.type):
            raise InputError(f"{path}: column {name} has type {column.type}, expected integers")
        check_filled(path, name, column, EXPECTED_CHARGE, start)
        values = column.to_numpy()
        bad = (values < 0) | (values > MAX_CALQ)
        if floats:
            bad |= values != np.rint(values)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(f"{path}: data row {start + row + 1}, column {name}: {values[row]}, "
                             f"expected {EXPECTED_CHARGE}")
        if floats:
            table = table.set_column(table.column_names.index(name), name, column.cast(pa.uint32()))
    return table


def check_filled(path: str, name: str, column: pa.ChunkedArray, expected: str, start: int = 0) -> None:
    """Raise InputError naming the first row of a column that is empty."""
    if column.null_count:
        row = start + int(np.argmax(column.is_null().to_numpy()))
        raise InputError(f"{path}: data row {row + 1}, column {name}: empty, expected {expected}")


def _read_parquet(path: str) -> pa.Table:
    with parsing(path, "Parquet"):
        file = pa_parquet.ParquetFile(path, memory_map=True)
        names, rows = file.schema_arrow.names, file.metadata.num_rows
    if rows > _MOST_ROWS:  # equal rows pack to next to nothing
        raise InputError(f"{path}: {rows} rows, expected at most {_MOST_ROWS}")
    names = charge_names(names)
    check_columns(path, names)
    with parsing(path, "Parquet"):
        return file.read().rename_columns(names)


def _read_csv(path: str, nrows: int | None) -> pa.Table:
    file = CsvFile.open(path, sys.stdin.buffer.read() if path == "-" else None)
    if nrows is None:
        return file.read(CALQ_TYPES)
    batches, rows = [], 0
    for batch in file.batches(CALQ_TYPES):
        batches.append(batch)
        rows += batch.num_rows
        if rows >= nrows:
            break
    if not batches:
        raise no_rows(path)
    return pa.Table.from_batches(batches)


def write_calq(
    path: str | Path, calq: npt.NDArray[np.integer[Any]], order: Order = "tc", extra: pd.DataFrame | None = None
) -> None:
    """Write charges given in image order, (n, 48), as columns in `order`, followed by the columns of `extra`.

    Examples:
        >>> import numpy as np
        >>> from models import read_calq, write_calq
        >>> write_calq("calq.parquet", np.arange(96).reshape(2, 48))
        >>> read_calq("calq.parquet").calq[1, :4].tolist()
        [48, 49, 50, 51]
    """
    columns = np.argsort(image_order()) if order == "tc" else np.arange(N_TRIGGER_CELLS)

    def table(start: int) -> pa.Table:
        rows = slice(start, start + _ROW_GROUP)
        arrays = {name: pa.array(calq[rows, channel]) for name, channel in zip(CALQ_COLUMNS, columns, strict=True)}
        if extra is not None:
            arrays |= {str(name): pa.array(extra[name].iloc[rows]) for name in extra.columns}
        return pa.table(arrays)

    _write_tables(path, map(table, range(0, max(len(calq), 1), _ROW_GROUP)))


def write_latents(path: str | Path, latent_code: npt.NDArray[np.integer[Any]]) -> None:
    """Write latents (n, outputs) as integers with the header latent_0, latent_1, ..."""
    write_latent_pieces(path, [latent_code])


def write_latent_pieces(path: str | Path, pieces: Iterable[npt.NDArray[np.integer[Any]]]) -> None:
    """The same for latents that follow one another; nothing appears before all of them are there."""
    _write_tables(path, (pa.table({f"latent_{i}": pa.array(column) for i, column in enumerate(piece.T)})
                         for piece in pieces))


def _write_tables(path: str | Path, tables: Iterator[pa.Table]) -> None:
    with _whole_or_nothing(path) as file:
        first = next(tables)
        if str(path).endswith(".parquet"):
            writer: Any = pa_parquet.ParquetWriter(file, first.schema)
        else:
            file.write((",".join(first.column_names) + "\n").encode())  # pyarrow would quote every name
            writer = pa_csv.CSVWriter(file, first.schema, write_options=pa_csv.WriteOptions(include_header=False))
        with closing(writer):
            for table in chain([first], tables):
                writer.write_table(table)


@contextmanager
def _whole_or_nothing(path: str | Path) -> Iterator[IO[bytes]]:
    """A file that appears when the block has succeeded; `-` is stdout."""
    if str(path) != "-":
        with atomic_path(path) as temporary, open_to_write(temporary) as file:
            yield file
        return
    with tempfile.TemporaryFile() as spooled:
        yield spooled
        spooled.seek(0)
        shutil.copyfileobj(spooled, sys.stdout.buffer)
        sys.stdout.buffer.flush()


@contextmanager
def open_to_write(path: Path) -> Iterator[IO[bytes]]:
    """A file, packed if its name ends in .gz; equal contents are equal bytes."""
    with path.open("wb") as file:
        if path.suffix != ".gz":
            yield file
            return
        # The buffer keeps the flushes of writers away from gzip, which would mark each of them in the file.
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            whole = io.BufferedWriter(cast(io.RawIOBase, packed))
            yield whole
            whole.flush()
