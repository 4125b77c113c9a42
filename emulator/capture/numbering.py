"""Which bunch crossing each row of a capture is: the counters of its frames, the orbit starts and the gaps."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from emulator.fields import Field
from emulator.formatter import bx_counter, counter_code
from models.arrays import BoolArray, Int64Array, IntArray
from models.chip import ORBIT

UNKNOWN = -1
"""The counter of a row that shows none."""

_WINDOW = 12
"""Rows that decide whether a wrong counter is a damaged row or the end of a gap."""
_ENOUGH = 3 / 4
"""Of the counters of a window that must agree with a new number."""
_LEAST = 3
"""Counters that must agree with it at least."""


@dataclass(frozen=True)
class Gap:
    """Bunch crossings missing before a row.

    Counters tell them modulo 16 (BC and STC: 8) alone: the fewest are taken, until the next orbit start makes it
    `exact`.
    """

    row: int
    missing: int
    exact: bool


@dataclass(frozen=True)
class Numbering:
    """Numbers of n rows: bx (n,) counts on through the orbits, the first one begins at 0.

    `agrees` (n,) tells the rows whose counter is that of their number. Without an orbit start (`anchored` false) the
    numbers are known modulo 16, or 8 for BC and STC.
    """

    bx: Int64Array
    agrees: BoolArray
    anchored: bool
    gaps: tuple[Gap, ...]


def orbit_codes(field: Field) -> Int64Array:
    """The counter of each bunch crossing of an orbit, (3564,), as it stands in a frame."""
    return counter_code(field, bx_counter(np.arange(ORBIT)))


@functools.cache
def _successors(field: Field) -> BoolArray:
    """Which counter follows which, (2^bits, 2^bits)."""
    codes = orbit_codes(field)
    table = np.zeros((1 << field.bits, 1 << field.bits), dtype=bool)
    table[codes, np.roll(codes, -1)] = True
    return table


def follows(field: Field, counter: IntArray) -> float:
    """The fraction of rows whose counter (n,) is that of the bunch crossing after the row before."""
    return float(_successors(field)[counter[:-1], counter[1:]].mean()) if len(counter) > 1 else 0.0


def number_rows(field: Field, counter: IntArray) -> Numbering:
    """Number rows by their counters (n,), UNKNOWN where a row shows none."""
    codes, found = orbit_codes(field), np.asarray(counter, dtype=np.int64)
    start, number, anchored = _start(codes, found)
    after = _Walk(codes, found[start:], number, 1)
    before = _Walk(codes, found[: start + 1][::-1], number, -1)
    bx = np.concatenate([before.bx[:0:-1], after.bx])
    bx += ORBIT * -(int(bx[0]) // ORBIT)
    gaps = [Gap(start - gap.row + 1, gap.missing, gap.exact) for gap in reversed(before.gaps)]
    gaps += [Gap(start + gap.row, gap.missing, gap.exact) for gap in after.gaps]
    return Numbering(bx, found == codes[bx % ORBIT], anchored, tuple(gaps))


def _start(codes: Int64Array, counter: Int64Array) -> tuple[int, int, bool]:
    """A row whose number is sure, that number, and whether it is an orbit start; else the best guess."""
    shown, hidden = counter == codes[0], (counter != codes[0]) & (counter != 0)
    for row in [*np.flatnonzero(shown).tolist(), *np.flatnonzero(hidden & _may_start(codes, counter)).tolist()]:
        sides = [_fits(codes, counter, row, row - _WINDOW, row), _fits(codes, counter, row, row + 1, row + _WINDOW)]
        if (any(sides) if shown[row] else all(sides)):
            return row, 0, True
    known = np.flatnonzero(counter != UNKNOWN)
    for row in known.tolist():
        agree = _agreement(codes, counter[row : row + _WINDOW], 0, 1)
        number = int(agree[1:].argmax()) + 1  # no orbit start was seen
        if agree[number] >= min(_LEAST, len(known)):
            return row, number, False
    return 0, 1, False


def _may_start(codes: Int64Array, counter: Int64Array) -> BoolArray:
    """Rows between the last counters of an orbit and the first ones of the next: where a start may be damaged."""
    n, found = len(counter), np.zeros(len(counter), dtype=np.int64)
    for k in range(1, _WINDOW):
        found[k:] += counter[: n - k] == codes[-k]
        found[: n - k] += counter[k:] == codes[k]
    return np.asarray(found >= 2 * _LEAST, dtype=np.bool_)


def _fits(codes: Int64Array, counter: Int64Array, start: int, first: int, last: int) -> bool:
    """Whether the counters of these rows are those around an orbit start, as far as they show any."""
    rows = np.arange(max(first, 0), min(last, len(counter)))
    n_agree = int((counter[rows] == codes[(rows - start) % ORBIT]).sum())
    return n_agree >= max(_LEAST, _ENOUGH * int((counter[rows] != UNKNOWN).sum()))


class _Walk:
    """Rows in one direction, from the first one on, whose number is given; step -1 goes back in time."""

    def __init__(self, codes: Int64Array, counter: Int64Array, number: int, step: int) -> None:
        self.codes, self.counter, self.step = codes, counter, step
        self.bx: Int64Array = number + step * np.arange(len(counter), dtype=np.int64)
        self.gaps: list[Gap] = []
        row = 1
        while row < len(counter):
            wrong = np.flatnonzero(~self._agrees(row) & (counter[row:] != UNKNOWN))
            if not len(wrong):
                break
            row += int(wrong[0])
            if len(missing := self._missing(row)):
                self._skip(row, missing)
            row += 1

    def _agrees(self, first: int, last: int | None = None, missing: int = 0) -> BoolArray:
        """Which counters of these rows are those of their numbers, if that many bunch crossings are missing."""
        numbers = self.bx[first:last] + self.step * missing
        same: BoolArray = self.counter[first:last] == self.codes[numbers % ORBIT]
        return same

    def _missing(self, row: int) -> Int64Array:
        """How many bunch crossings may be missing before a row with a wrong counter; none if it is a damaged row."""
        window = self.counter[row : row + _WINDOW]
        agree = _agreement(self.codes, window, int(self.bx[row]), self.step)
        here = self.codes[(self.bx[row] + self.step * np.arange(ORBIT)) % ORBIT] == window[0]
        n_known, best = int((window != UNKNOWN).sum()), int(agree[here].max(initial=0))
        enough = best >= max(_LEAST, _ENOUGH * n_known) and best > agree[0]
        return np.flatnonzero(here & (agree == best)) if enough else np.zeros(0, dtype=np.int64)

    def _skip(self, row: int, missing: Int64Array) -> None:
        """Put a gap before a row; or, if an orbit starts at another place than counted, into the gap before that one.

        The rows between must fit the new numbers as well as the old ones.
        """
        exact = bool((self.counter[row : row + _WINDOW] == self.codes[0]).any())
        last = self.gaps[-1] if self.gaps else None
        if last and not last.exact:
            now = self._agrees(last.row, row).sum()
            for more in missing.tolist():
                if self._agrees(last.row, row, more).sum() >= now:
                    self.gaps[-1] = Gap(last.row, last.missing + more, exact)
                    self.bx[last.row :] += self.step * more
                    return
        self.gaps.append(Gap(row, int(missing[0]), exact))
        self.bx[row:] += self.step * int(missing[0])


def _agreement(codes: Int64Array, window: Int64Array, number: int, step: int) -> Int64Array:
    """Counters of a window that agree with its numbers if 0, 1, .. bunch crossings are missing before it, (3564,)."""
    numbers = number + step * (np.arange(ORBIT)[:, None] + np.arange(len(window)))
    return np.asarray((codes[numbers % ORBIT] == window).sum(axis=1), dtype=np.int64)
