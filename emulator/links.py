"""Files of link words: CSV with one row per bunch crossing and 8 hex digits per link, as the test vectors have them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from emulator.front_end import N_ERX
from models.arrays import IntArray
from models.chip import MAX_ELINKS, ORBIT
from models.errors import InputError
from models.files import atomic_path
from models.wording import counted

_HEX = rb"[0-9a-fA-F]{8}"
_LONGEST_LINE = 1 << 10


@dataclass(frozen=True)
class LinkFile:
    """One of the two kinds of file: the name of its columns and their number."""

    prefix: str
    n_links: int

    @property
    def columns(self) -> list[str]:
        """Names of the columns, link 0 first."""
        return [f"{self.prefix}{i}" for i in range(self.n_links)]

    def read(self, path: str | Path, rows_per_chunk: int = 4 * ORBIT) -> Iterator[npt.NDArray[np.uint32]]:
        """Chunks (n, n_links) of a file (`-` is stdin), in bounded memory.

        Raises InputError naming file, line, column, value and what was expected.
        """
        row = re.compile(_HEX + rb"(?:," + _HEX + rb"){%d}" % (self.n_links - 1))
        with _open(path) as file:
            header = file.readline(_LONGEST_LINE).strip().removeprefix(b"\xef\xbb\xbf")
            if header.decode(errors="replace").split(",") != self.columns:
                raise InputError(f"{path}: line 1: {header[:40].decode(errors='replace')!r}, expected the header "
                                 f"{self.columns[0]},..,{self.columns[-1]}")
            chunk, last = bytearray(), 0
            lines = map(bytes.rstrip, iter(lambda: file.readline(_LONGEST_LINE), b""))
            for number, line in enumerate(lines, start=2):
                if not line:
                    continue
                if last and number != last + 1:
                    raise InputError(f"{path}: line {last + 1}: empty, expected {counted(self.n_links, 'word')}")
                last = number
                if not row.fullmatch(line):
                    raise self._explain(path, number, line.decode(errors="replace"))
                chunk += bytes.fromhex(line.replace(b",", b"").decode())
                if len(chunk) >= 4 * self.n_links * rows_per_chunk:
                    yield self._words(chunk)
                    chunk = bytearray()
            if not last:
                raise InputError(f"{path}: a header but no rows, expected {counted(self.n_links, 'word')} per row")
            if chunk:
                yield self._words(chunk)

    def read_all(self, path: str | Path) -> npt.NDArray[np.uint32]:
        """The whole file, (n, n_links)."""
        return np.concatenate(list(self.read(path)))

    def header(self) -> str:
        """The first line of a file."""
        return ",".join(self.columns) + "\n"

    def rows(self, words: IntArray) -> str:
        """Words (n, n_links) as lines of a file."""
        return "".join(row.tobytes().hex(",", 4) + "\n" for row in words.astype(">u4"))

    def _words(self, data: bytes | bytearray) -> npt.NDArray[np.uint32]:
        return np.frombuffer(bytes(data), dtype=">u4").astype(np.uint32).reshape(-1, self.n_links)

    def _explain(self, path: str | Path, number: int, line: str) -> InputError:
        values = line.split(",")
        if len(values) != self.n_links:
            return InputError(f"{path}: line {number}: {counted(len(values), 'column')}, expected {self.n_links}")
        name, value = next((n, v) for n, v in zip(self.columns, values, strict=True)
                           if not re.fullmatch(_HEX, v.encode()))
        return InputError(f"{path}: line {number}, column {name}: {value[:40]!r}, expected 8 hex digits")


ERX = LinkFile("RX_DATA_", N_ERX)
"""Input words of the chip."""

ETX = LinkFile("TX_DATA_", MAX_ELINKS)
"""Output words of the chip."""


@contextmanager
def _open(path: str | Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with Path(path).open("rb") as file:
            yield file


@contextmanager
def open_output(path: str | Path) -> Iterator[IO[str]]:
    """A text file that appears under its name when the block has succeeded; `-` is stdout."""
    if str(path) == "-":
        yield sys.stdout
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
        yield file
