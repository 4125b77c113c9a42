"""Does the emulator send what the chip sent? Vector sets against `EconT`, and the first difference field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emulator.chip import EconT
from emulator.decoding import decode_stream
from emulator.fields import ABSENT
from emulator.formatter import Decoded
from emulator.links import ERX, ETX
from models.arrays import IntArray
from models.errors import InputError
from models.registers import Registers

REGISTER_FILE, INPUT_FILE, OUTPUT_FILE = "init.yaml", "testInput.csv", "testOutput.csv"


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


@dataclass(frozen=True)
class SetResult:
    """One vector set: how many of its frames, bunch crossings on all 13 links, are equal in every bit."""

    folder: Path
    algorithm: str
    n_elinks: int
    n_frames: int
    n_exact: int
    first: Mismatch | None
    notes: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        return self.n_exact == self.n_frames


def find_sets(folders: Iterable[str | Path]) -> list[Path]:
    """Every folder at or below the given ones with an `init.yaml`; raises InputError where there is none."""
    found = []
    for folder in folders:
        inside = sorted(path.parent for path in Path(folder).rglob(REGISTER_FILE))
        if not inside:
            raise InputError(f"{folder}: no vector set, expected folders with {REGISTER_FILE} and {OUTPUT_FILE}")
        found += inside
    return found


def verify_sets(folders: Iterable[Path]) -> Iterator[SetResult]:
    """Run each set; sets that share their input read it once."""
    inputs: dict[Path, npt.NDArray[np.uint32]] = {}
    for folder in folders:
        path = next((p / INPUT_FILE for p in (folder, folder.parent) if (p / INPUT_FILE).is_file()), None)
        if path is None:
            raise InputError(f"{folder}: {INPUT_FILE} is missing, expected it here or one folder up")
        if path not in inputs:
            inputs = {path: ERX.read_all(path)}
        yield verify_set(folder, inputs[path])


def verify_set(folder: Path, erx: IntArray) -> SetResult:
    """Run the input of a set, eRx words (n, 12), through its settings and compare with its `testOutput.csv`."""
    expected = ETX.read_all(folder / OUTPUT_FILE)
    registers, notes = settings_of(folder / REGISTER_FILE, expected)
    if len(expected) != len(erx):
        raise InputError(f"{folder / OUTPUT_FILE}: {len(expected)} rows, expected {len(erx)} as in the input")
    frames = EconT(registers).run(erx)
    if n_lost := int((frames.n_lost > 0).sum()):
        notes.append(f"the output buffer lost words of {n_lost} frames: T1 = {registers.buffer_thresholds[0]}")
    exact = (expected == frames.etx).all(axis=1)
    first = None if exact.all() else first_mismatch(registers, expected, frames.etx)
    return SetResult(folder, registers.algorithm.short_name, registers.n_elinks, len(exact), int(exact.sum()), first,
                     tuple(notes))


def settings_of(path: Path, etx: IntArray) -> tuple[Registers, list[str]]:
    """The settings under which a chip sent these words (n, 13), and what of them the file does not say, in words."""
    registers = Registers.load(path)
    if registers.n_elinks_given:
        return registers, []
    n_elinks = int(np.flatnonzero(etx.any(axis=0)).max(initial=0)) + 1  # the fewest that carry everything
    return (registers.with_values({"FMTBUF_ALL.config.eporttx_numen": n_elinks}),
            [f"{n_elinks} links, inferred from the output: the settings leave the number out"])


def first_mismatch(registers: Registers, expected: IntArray, found: IntArray) -> Mismatch:
    """Where two different streams of eTx words (n, 13) first differ, and what that means."""
    bx = int(np.argmax((expected != found).any(axis=1)))
    words = tuple(Difference(name, f"{a:08x}", f"{b:08x}")
                  for name, a, b in zip(ETX.columns, expected[bx], found[bx], strict=True) if a != b)
    frames = [_decoded(registers, etx) for etx in (expected, found)]
    n = min(len(frame) for frame in frames)
    differs = np.zeros(n, dtype=bool)
    for name, column in frames[0].columns.items():
        if name in frames[1].columns:
            differs |= (column[:n] != frames[1].columns[name][:n]).reshape(n, -1).any(axis=1)
    if not differs.any():
        return Mismatch(bx, words, None, ())
    frame_bx = int(np.argmax(differs))
    return Mismatch(bx, words, frame_bx, tuple(_differences(frames[0], frames[1], frame_bx)))


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
