"""CSV files of module charges as other programs write them: where the header is, and what is wrong in which line.

Charges are whole numbers; pandas and NumPy write them as `12.0` or `1.2e+01` too, which is exact and taken.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from models.errors import InputError, parsing
from models.trigger_cells import CALQ_BITS, N_TRIGGER_CELLS
from models.wording import counted

CALQ_COLUMNS = [f"CALQ_{i}" for i in range(N_TRIGGER_CELLS)]
MAX_CALQ = (1 << CALQ_BITS) - 1
EXPECTED_CHARGE = f"an integer 0..{MAX_CALQ}"
_LONGEST_LINE = 1 << 16
_SHOWN = 3  # names of columns in a message
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.ASCII | re.IGNORECASE)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}


def charge_names(names: Sequence[str]) -> list[str]:
    """Names of columns, with CALQ_i for the bare numbers 0..47 that pandas gives to columns without names."""
    bare = [str(i) for i in range(N_TRIGGER_CELLS)]
    if sorted(name for name in names if _NUMBER.fullmatch(name)) != sorted(bare):
        return list(names)
    return [f"CALQ_{name}" if name in bare else name for name in names]


def check_columns(path: str, names: Sequence[str]) -> None:
    """Raise InputError unless every column of charges is there once."""
    missing = [name for name in CALQ_COLUMNS if name not in names]
    if missing:
        given = ", ".join(repr(name[:40]) for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise InputError(f"{path}: column {missing[0]} is missing (given: {given}), expected CALQ_0..CALQ_47")
    repeated = [name for name in CALQ_COLUMNS if list(names).count(name) > 1]
    if repeated:
        raise InputError(f"{path}: column {repeated[0]} is given twice")


@dataclass(frozen=True)
class CsvFile:
    """A CSV file of charges, or the content of one that came through a pipe: what its first line says."""

    path: str
    content: bytes | None
    packed: bool
    """Whether it is compressed (gzip); its content says so, not its name."""
    header: list[str] | None
    """Fields of the first line, unless that is a row of charges."""
    names: list[str]
    """Of all columns; the charges as CALQ_i."""

    @classmethod
    def open(cls, path: str, content: bytes | None = None) -> CsvFile:
        """Look at the first line. Raises InputError if there are no columns of charges, or not of each one."""
        if content is None and not Path(path).is_file():  # a pipe can be read once
            content = Path(path).read_bytes()
        with _binary(path, content) as file:
            start = file.read(2)
        if start in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{path}: text in UTF-16, expected UTF-8")
        packed = start == b"\x1f\x8b"
        with parsing(path, "CSV"), _text(path, content, packed) as text:
            line = text.readline(_LONGEST_LINE).rstrip("\r\n").removeprefix("\ufeff")
            if "\0" in line:  # which csv refuses in words of its own up to Python 3.10
                raise InputError(f"{path}: holds binary data, expected CSV")
            fields = next(csv.reader([line]), [])
        if not fields:
            raise InputError(f"{path}: line 1: empty, expected {N_TRIGGER_CELLS} charges or a header CALQ_0..CALQ_47")
        _check_separator(path, line)
        plain = [field.strip() for field in fields]
        plain[0] = plain[0].removeprefix("#").lstrip()  # as NumPy writes a header
        names = charge_names(plain)
        if _is_header(names):
            check_columns(path, names)
            return cls(path, content, packed, fields, names)
        if len(fields) != N_TRIGGER_CELLS:
            raise InputError(f"{path}: line 1: {counted(len(fields), 'column')} and no header, "
                             f"expected {N_TRIGGER_CELLS}")
        return cls(path, content, packed, None, CALQ_COLUMNS)

    def read(self, types: Mapping[str, pa.DataType]) -> pa.Table:
        """The whole file at once, on all processors; `types` is of the columns whose type is known."""
        try:
            with self._stream() as source:
                return pa_csv.read_csv(source, read_options=self._options, convert_options=_conversion(types))
        except (pa.ArrowException, OSError):
            # Slower, but with numbers written as floats, and the line of what is wrong.
            batches = list(self.batches(types))
            return pa.Table.from_batches(batches, schema=batches[0].schema)

    def batches(self, types: Mapping[str, pa.DataType], only: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """The rows piece by piece, in bounded memory. Raises InputError naming line, column and value.

        `only`: columns to read; default: all.
        """
        done = 0
        for as_floats in (False, True):
            seen = 0
            try:
                for batch in self._batches(types, only, as_floats):
                    new = batch.slice(max(done - seen, 0))
                    seen += batch.num_rows
                    if new.num_rows:
                        yield new
                        done = seen
                return
            except (pa.ArrowException, OSError) as error:
                if as_floats or "onversion error" not in str(error):
                    raise self.diagnose(error) from None

    def _batches(
        self, types: Mapping[str, pa.DataType], only: Sequence[str], as_floats: bool
    ) -> Iterator[pa.RecordBatch]:
        whole = {name: kind for name, kind in types.items() if as_floats and pa.types.is_integer(kind)}
        options = _conversion({**types, **dict.fromkeys(whole, pa.float64())}, only)
        with self._stream() as source, pa_csv.open_csv(
            source, read_options=self._options, convert_options=options
        ) as reader:
            for batch in reader:
                columns = [column.cast(whole[name]) if name in whole else column
                           for name, column in zip(batch.schema.names, batch.columns, strict=True)]
                yield pa.record_batch(columns, names=batch.schema.names)

    @property
    def _options(self) -> pa_csv.ReadOptions:
        if self.header == self.names:
            return pa_csv.ReadOptions()
        return pa_csv.ReadOptions(column_names=self.names, skip_rows=0 if self.header is None else 1)

    @contextmanager
    def _stream(self) -> Iterator[Any]:
        source = self.path if self.content is None else pa.BufferReader(self.content)
        with pa.input_stream(source, compression="gzip" if self.packed else None) as stream:
            yield stream

    def diagnose(self, error: Exception) -> InputError:
        """Read again, slowly, to name the first bad line and column; only runs once a file is known to be bad."""
        with parsing(self.path, "CSV"), _text(self.path, self.content, self.packed) as text:
            reader = csv.reader(_bounded_lines(self.path, text))
            for fields in reader:
                if not fields or (self.header is not None and reader.line_num == 1):
                    continue
                if len(fields) != len(self.names):
                    return InputError(f"{self.path}: line {reader.line_num}: {counted(len(fields), 'column')}, "
                                      f"expected {len(self.names)}")
                for name, field in zip(self.names, fields, strict=True):
                    if name in CALQ_COLUMNS and not _is_charge(field):
                        return InputError(f"{self.path}: line {reader.line_num}, column {name}: {field[:40]!r}, "
                                          f"expected {EXPECTED_CHARGE}")
        if "Empty CSV" in str(error):
            return no_rows(self.path)
        return InputError(f"{self.path}: not readable as CSV: {_first_line(error)}")


def no_rows(path: str) -> InputError:
    """Of a file that has names of columns alone."""
    return InputError(f"{path}: a header but no rows, expected {N_TRIGGER_CELLS} charges per row")


def _conversion(types: Mapping[str, pa.DataType], only: Sequence[str] = ()) -> pa_csv.ConvertOptions:
    return pa_csv.ConvertOptions(column_types=dict(types), strings_can_be_null=False, include_columns=list(only))


def _is_header(names: Sequence[str]) -> bool:
    """A row of charges is of numbers; one that has a hole or a word is a bad row, not a header."""
    return any(name.upper().startswith("CALQ") for name in names) or not any(map(_NUMBER.fullmatch, names))


def _is_charge(field: str) -> bool:
    field = field.strip()
    if not _NUMBER.fullmatch(field):
        return False
    value = float(field)
    return value.is_integer() and 0 <= value <= MAX_CALQ


def _check_separator(path: str, line: str) -> None:
    if line.count(",") >= N_TRIGGER_CELLS - 1:
        return
    for separator, plural in _SEPARATORS.items():
        if len(line.split(None if separator == " " else separator)) >= N_TRIGGER_CELLS:
            raise InputError(f"{path}: line 1: fields are separated by {plural}, expected commas")


def _binary(path: str, content: bytes | None) -> IO[bytes]:
    return Path(path).open("rb") if content is None else io.BytesIO(content)


@contextmanager
def _text(path: str, content: bytes | None, packed: bool) -> Iterator[IO[str]]:
    with _binary(path, content) as binary:
        plain: Any = gzip.GzipFile(fileobj=binary) if packed else binary
        with io.TextIOWrapper(plain, encoding="utf-8", errors="replace", newline="") as text:
            yield text


def _bounded_lines(path: str, text: IO[str]) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: text.readline(_LONGEST_LINE), ""), start=1):
        if len(line) == _LONGEST_LINE:
            raise InputError(f"{path}: line {number}: over {_LONGEST_LINE} characters, "
                             f"expected {N_TRIGGER_CELLS} charges")
        yield line


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
