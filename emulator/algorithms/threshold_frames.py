"""Where the frames of TS stand in the words of the links, also behind words that the output buffer lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emulator import fields
from emulator.codes import SUM
from emulator.fields import ABSENT, MAP_FROM
from emulator.formatter import Ends, Words
from emulator.output_buffer import CAPACITY
from models.chip import WORD_BITS
from models.errors import InputError
from models.trigger_cells import N_TRIGGER_CELLS

TYPE_EMPTY, TYPE_ADDRESSES, TYPE_MAP = 0b000, 0b010, 0b100
TYPE_TRUNCATED, TYPE_TRUNCATED_SHORT = 0b110, 0b111
"""What the buffer makes of a frame that does not fit (over T1), or of a short one while many wait (T2, T3)."""

TYPE_SHIFT = SUM.bits
"""The type stands between the counter and the sum, in the first word."""

LENGTHS = np.array([fields.n_words(fields.threshold_sum(n)) for n in range(N_TRIGGER_CELLS + 1)])
"""Words of a frame by number of cells."""

_WORDS_TO_COUNT, _WORDS_TO_MAP = 2, 4
"""First words of a frame, up to the end of the count of a list or of the map."""
_EVERY_LENGTH = frozenset(LENGTHS.tolist())
_LENGTHS_OF_A_LIST = frozenset(LENGTHS[1:MAP_FROM].tolist())
_LENGTHS_OF_A_MAP = frozenset(LENGTHS[MAP_FROM:].tolist())


@dataclass(frozen=True)
class Head:
    """What the first words of a frame say."""

    n_cells: int
    """Number of cells, ABSENT if the buffer lost the words that tell it."""
    lengths: frozenset[int]
    """Words that the frame may have; none if it cannot be one."""


_NO_FRAME = Head(ABSENT, frozenset())


@dataclass(frozen=True)
class FrameFinder:
    """Finds the frames in a stream of words (n, words per BX), one per BX.

    Every BX puts one frame into the buffer before its words are sent, so a frame starts where the one before it ended,
    but not before its own BX: idle words need not be recognised. Where the buffer lost the words that tell how long a
    frame is, all lengths are followed that T1 allows and under which the lost words are those of the BX before, until
    the BX counters of later frames leave one.
    """

    words: Words
    counter: list[int]
    """5-bit BX counter expected in each BX; it only tells apart where a frame may start."""
    t1: int

    @cached_property
    def stream(self) -> list[int]:
        """All words, in the order in which they were sent."""
        words: list[int] = self.words.ravel().tolist()
        return words

    def run(self, ends: Ends) -> tuple[list[tuple[int, int]], Ends]:
        """(first word, number of cells) of each frame that lies whole in the stream, and where the last one ended.

        The number of cells is ABSENT for a frame of which words were lost. `ends` are the places where the frame before
        this stream may have ended. Raises InputError if the first frame cannot be one.
        """
        (n_bx, per_bx), frames = self.words.shape, list[tuple[int, int]]()
        for bx in range(n_bx):
            first = bx * per_bx
            starts = {max(end, first) for end in ends}
            try:
                heads = {start: self._head(start, first, bx if len(starts) > 1 else None) for start in starts}
            except IndexError:
                break  # not whole in the stream
            possible = {start: head for start, head in heads.items() if head.lengths}
            if not possible:
                if frames:  # what stands before the bad word is good
                    break
                raise InputError(f"word {self.stream[min(starts)]:04x} begins no TS frame")
            ends = tuple({start + length for start, head in possible.items() for length in head.lengths})
            start, head = next(iter(possible.items()))
            whole = len(possible) == 1 and head.n_cells != ABSENT and ends[0] - first <= CAPACITY
            frames.append((start, head.n_cells if whole else ABSENT))
        return frames, ends

    def _head(self, start: int, first: int, bx: int | None) -> Head:
        """What a frame that starts there is, put into the buffer when the words at `first` left.

        With `bx` it must have the counter of that BX. Raises IndexError if the stream ends too early.
        """
        kept, stream = CAPACITY - (start - first), self.stream
        if kept <= 0:
            return self._of_unknown_length(start, first, _EVERY_LENGTH)
        word = stream[start]
        if bx is not None and word >> WORD_BITS - fields.COUNTER.bits != self.counter[bx]:
            return _NO_FRAME
        kind = word >> TYPE_SHIFT & ((1 << fields.TYPE.bits) - 1)
        if kind in (TYPE_EMPTY, TYPE_TRUNCATED, TYPE_TRUNCATED_SHORT):
            return Head(0, frozenset({1}))
        if kind == TYPE_ADDRESSES:
            if kept < _WORDS_TO_COUNT:
                return self._of_unknown_length(start, first, _LENGTHS_OF_A_LIST)
            n_cells = stream[start + 1] >> (WORD_BITS - 3)
            return self._of_cells(start, n_cells) if n_cells else _NO_FRAME
        if kind == TYPE_MAP:
            if kept < _WORDS_TO_MAP:
                return self._of_unknown_length(start, first, _LENGTHS_OF_A_MAP)
            n_cells = (stream[start + 1] << 32 | stream[start + 2] << 16 | stream[start + 3]).bit_count()
            return self._of_cells(start, n_cells) if n_cells >= MAP_FROM else _NO_FRAME
        return _NO_FRAME

    def _of_cells(self, start: int, n_cells: int) -> Head:
        length = int(LENGTHS[n_cells])
        self.stream[start + length - 1]  # the frame must be whole
        return Head(n_cells, frozenset({length}))

    def _of_unknown_length(self, start: int, first: int, lengths: frozenset[int]) -> Head:
        """The lengths that T1 lets in, of words that repeat those of the BX before where they were lost."""
        longest = max(self.t1 - (start - first), 1)
        at, per_bx = max(start, first + CAPACITY), self.words.shape[1]
        while at < start + longest and self.stream[at] == self.stream[at - per_bx]:
            at += 1
        return Head(ABSENT, frozenset(length for length in lengths if length <= min(longest, at - start)))
