"""The output buffer: frames wait in a queue of 16-bit words until the links have room, and are cut if many wait.

The queue is an array of 400 words that moves down by the words sent in each BX. What is written behind its end is lost,
but still counted: the end of the array keeps what it held before the move, and that is sent in place of the lost words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.fields import MAX_WORDS, MODULE_SUM
from emulator.formatter import Packets, Words
from models.arrays import IntArray
from models.chip import Algorithm
from models.registers import Registers

_SHORT_BIT = 1 << MODULE_SUM.bits
"""The lowest bit of the frame type: it tells a frame cut by T2 and T3 from one cut by T1."""

CAPACITY = 400
"""Words that the buffer holds."""

SAFE_T1 = CAPACITY - 25
"""Up to this T1 the longest frame, 25 words, always finds room."""

_CUT_BY_T1, _CUT_BY_T2 = 1, 2
"""What cut a frame: T1, or T2 and T3 together."""

NOTHING: Words = np.zeros(0, dtype=np.uint16)


@dataclass(frozen=True)
class OutputBuffer:
    """Settings of the buffer; T1, T2 and T3 in words."""

    n_elinks: int
    t1: int
    t2: int
    t3: int

    def send(self, packets: Packets, waiting: Words = NOTHING) -> tuple[Words, Words, IntArray]:
        """What the links send in the bunch crossings of `packets`, (n, 2 links), and the words that wait after them.

        `waiting` are the words that waited before. The third array (n,) counts the words that each frame lost.
        """
        n, per_bx = len(packets.n_words), 2 * self.n_elinks
        start, cut, left = self._schedule(packets.n_words.tolist(), len(waiting))
        words = packets.words.copy()
        words[cut > 0, 0] = packets.truncated[cut > 0] | np.where(cut[cut > 0] == _CUT_BY_T2, _SHORT_BIT, 0)
        length = np.where(cut > 0, 1, packets.n_words)
        # Slot `BX * per_bx + k` leaves the chip as word k of that BX; a frame lies behind the words that waited.
        slots = np.zeros(max(n * per_bx + left, len(waiting)), dtype=np.uint16)
        slots[: n * per_bx] = np.repeat(packets.fill, per_bx)
        slots[: len(waiting)] = waiting
        used = np.arange(MAX_WORDS) < length[:, None]
        place = (np.arange(n) * per_bx + start)[:, None] + np.arange(MAX_WORDS)
        slots[place[used]] = words[used]
        lost = used & (start[:, None] + np.arange(MAX_WORDS) >= CAPACITY)
        if lost.any():
            slots = _stale(slots, place[lost], per_bx)
        return slots[: n * per_bx].reshape(n, per_bx), slots[n * per_bx :].copy(), lost.sum(axis=1)

    def _schedule(self, lengths: list[int], n_waiting: int) -> tuple[IntArray, IntArray, int]:
        """Where frames of these lengths go: words that wait before each, if it is cut, and the words left at the end.

        Cut is 0 for a frame that is stored whole, else what cut it.
        """
        per_bx = 2 * self.n_elinks
        start, cut = [], []
        for length in lengths:
            start.append(n_waiting)
            if n_waiting + length > self.t1:
                cut.append(_CUT_BY_T1)
            elif n_waiting > self.t2 and length <= self.t3:
                cut.append(_CUT_BY_T2)
            else:
                cut.append(0)
            n_waiting = max(n_waiting + (1 if cut[-1] else length) - per_bx, 0)
        return np.array(start, dtype=np.int64), np.array(cut, dtype=np.int64), n_waiting


def overflow_warning(registers: Registers, n_losing: int, n_frames: int) -> list[str]:
    """A warning if the buffer of TS can overflow under these settings; `n_losing` of `n_frames` lost words."""
    t1 = registers.buffer_thresholds[0]
    if registers.algorithm is not Algorithm.THRESHOLD_SUM or t1 <= SAFE_T1:
        return []
    return [f"buff_t1 = {t1} is above {SAFE_T1}, the {CAPACITY} words of the output buffer less a frame: "
            f"{n_losing:,} of {n_frames:,} frames lost words"]


def _stale(slots: Words, lost: IntArray, per_bx: int) -> Words:
    """The words with what is sent in place of the lost ones: the last that was kept `per_bx` or a multiple before it.

    A lost word would enter the array by a move, at a place that keeps what it held: the word `per_bx` before.
    """
    rows = -(-len(slots) // per_bx)
    table = np.zeros(rows * per_bx, dtype=np.uint16)
    table[: len(slots)] = slots
    row = np.repeat(np.arange(rows), per_bx)
    row[lost] = 0
    kept = np.maximum.accumulate(row.reshape(rows, per_bx), axis=0)
    found: Words = np.take_along_axis(table.reshape(rows, per_bx), kept, axis=0).ravel()[: len(slots)]
    return found
