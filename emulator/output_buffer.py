"""The output buffer: frames wait in a queue of 16-bit words until the links have room, and are cut if many wait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.fields import MAX_WORDS, MODULE_SUM
from emulator.formatter import Packets, Words
from models.arrays import IntArray

_SHORT_BIT = 1 << MODULE_SUM.bits
"""The lowest bit of the frame type: it tells a frame cut by T2 and T3 from one cut by T1."""

NOTHING: Words = np.zeros(0, dtype=np.uint16)


@dataclass(frozen=True)
class OutputBuffer:
    """Settings of the buffer; T1, T2 and T3 in words."""

    n_elinks: int
    t1: int
    t2: int
    t3: int

    def send(self, packets: Packets, waiting: Words = NOTHING) -> tuple[Words, Words]:
        """What the links send in the bunch crossings of `packets`, (n, 2 links), and the words that wait after them.

        `waiting` are the words that waited before.
        """
        n, per_bx = len(packets.n_words), 2 * self.n_elinks
        start, cut, left = self._schedule(packets.n_words.tolist(), len(waiting))
        words = packets.words.copy()
        words[cut > 0, 0] = packets.truncated[cut > 0] | np.where(cut[cut > 0] == 2, _SHORT_BIT, 0)
        length = np.where(cut > 0, 1, packets.n_words)
        # Slot `BX * per_bx + k` leaves the chip as word k of that BX; a frame lies behind the words that waited.
        slots = np.zeros(max(n * per_bx + left, len(waiting)), dtype=np.uint16)
        slots[: n * per_bx] = np.repeat(packets.fill, per_bx)
        slots[: len(waiting)] = waiting
        used = np.arange(MAX_WORDS) < length[:, None]
        place = (np.arange(n) * per_bx + start)[:, None] + np.arange(MAX_WORDS)
        slots[place[used]] = words[used]
        return slots[: n * per_bx].reshape(n, per_bx), slots[n * per_bx :].copy()

    def _schedule(self, lengths: list[int], n_waiting: int) -> tuple[IntArray, IntArray, int]:
        """Where frames of these lengths go: words that wait before each, if it is cut, and the words left at the end.

        Cut is 0 for a frame that is stored whole, 1 for one cut by T1, 2 for one cut by T2 and T3.
        """
        per_bx = 2 * self.n_elinks
        start, cut = [], []
        for length in lengths:
            start.append(n_waiting)
            if n_waiting + length > self.t1:
                cut.append(1)
                length = 1
            elif n_waiting > self.t2 and length <= self.t3:
                cut.append(2)
                length = 1
            else:
                cut.append(0)
            n_waiting = max(n_waiting + length - per_bx, 0)
        return np.array(start, dtype=np.int64), np.array(cut, dtype=np.int64), n_waiting
