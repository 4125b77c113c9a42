"""The first difference between two streams of link words, field by field."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from emulator.decoding import decode_stream
from emulator.fields import ABSENT
from emulator.formatter import Decoded
from emulator.links import ETX
from models.arrays import BoolArray, IntArray
from models.errors import InputError
from models.registers import Registers


@dataclass(frozen=True)
class Difference:
    """One number of a frame on both sides, as text; `-` is a number that a frame does not carry."""

    name: str
    expected: str
    found: str


@dataclass(frozen=True)
class Mismatch:
    """The first bunch crossing whose words differ: the words that do, then the fields of the first frame that does.

    A frame may wait in the buffer: `frame_bx` is the bunch crossing it belongs to, None if no frame could be read or
    none differs (then the difference is in what fills the links).
    """

    bx: int
    words: tuple[Difference, ...]
    frame_bx: int | None
    fields: tuple[Difference, ...]

    def __str__(self) -> str:
        shown = self.fields[0] if self.fields else self.words[0]
        where = f"BX {self.bx}" if self.frame_bx in (None, self.bx) else f"BX {self.bx}, frame of BX {self.frame_bx}"
        different = next((d for d in self.fields if d.expected != d.found), shown)
        return f"{where}: {different.name} expected {different.expected}, found {different.found}"


def first_mismatch(registers: Registers, expected: IntArray, found: IntArray) -> Mismatch:
    """Where two different streams of eTx words (n, 13) first differ, and what that means."""
    return mismatch_of(expected, found, _decoded(registers, expected), _decoded(registers, found))


def mismatch_of(expected: IntArray, found: IntArray, expected_frames: Decoded, found_frames: Decoded) -> Mismatch:
    """As `first_mismatch`, of streams that are decoded already, as far as they can be read."""
    bx = int(np.argmax((expected != found).any(axis=1)))
    words = tuple(Difference(name, f"{a:08x}", f"{b:08x}")
                  for name, a, b in zip(ETX.columns, expected[bx], found[bx], strict=True) if a != b)
    differs = different_frames(expected_frames, found_frames)
    if not differs.any():
        return Mismatch(bx, words, None, ())
    frame_bx = int(np.argmax(differs))
    return Mismatch(bx, words, frame_bx, tuple(_differences(expected_frames, found_frames, frame_bx)))


def different_fields(expected: Decoded, found: Decoded) -> dict[str, BoolArray]:
    """Where the numbers of frames differ: column -> (n, count), of the frames that both have."""
    n = min(len(expected), len(found))
    return {name: (column[:n] != found.columns[name][:n]).reshape(n, math.prod(column.shape[1:]))
            for name, column in expected.columns.items() if name in found.columns}


def different_frames(expected: Decoded, found: Decoded) -> BoolArray:
    """The frames that differ in any number, of those that both have."""
    differs = np.zeros(min(len(expected), len(found)), dtype=bool)
    for column in different_fields(expected, found).values():
        differs |= column.any(axis=1)
    return differs


def _decoded(registers: Registers, etx: IntArray) -> Decoded:
    """The frames as far as they can be read: words that are wrong need not be frames."""
    parts = [Decoded({}, np.zeros(0, dtype=np.int64), None)]
    with suppress(InputError):
        for part in decode_stream(registers, [etx], check_counter=False):
            parts.append(part)
    return Decoded.concatenate(parts[1:] or parts)


def _differences(expected: Decoded, found: Decoded, bx: int) -> Iterator[Difference]:
    """All single numbers of a frame, and those of its lists that differ."""
    for name, column in expected.columns.items():
        a, b = np.atleast_1d(column[bx]), np.atleast_1d(found.columns[name][bx])
        for index in range(len(a)):
            if len(a) == 1:
                yield Difference(name, _text(a[index]), _text(b[index]))
            elif a[index] != b[index]:
                yield Difference(f"{name}_{index}", _text(a[index]), _text(b[index]))


def _text(number: int) -> str:
    return "-" if number == ABSENT else str(number)
