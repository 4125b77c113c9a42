"""TS: every trigger cell at or above its threshold, in frames of variable length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.codes import CHARGE, SUM
from emulator.fields import ABSENT, MAP_FROM, N_CELLS, WORD_BITS
from emulator.formatter import Decoded, Packets, Words
from models.arrays import IntArray
from models.errors import InputError

TYPE_EMPTY, TYPE_ADDRESSES, TYPE_MAP = 0b000, 0b010, 0b100
TYPE_TRUNCATED, TYPE_TRUNCATED_SHORT = 0b110, 0b111
"""What the buffer makes of a frame that does not fit (over T1), or of a short one while many wait (T2, T3)."""

_TYPE_SHIFT = SUM.bits  # the type stands between the counter and the sum, in the first word
_COUNTER_SHIFT = _TYPE_SHIFT + fields.TYPE.bits


@dataclass(frozen=True)
class ThresholdSum:
    """Settings of TS; threshold (48,)."""

    counter_field: ClassVar = fields.COUNTER

    threshold: IntArray
    dropped_bits: int
    use_sum: bool
    sync_word: int

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        sent = calq >= self.threshold
        return {
            "sent": sent,
            "charge_code": CHARGE.encode(calq, self.dropped_bits),
            "full_sum_code": SUM.encode(calq.sum(axis=1)),
            "sum_code": SUM.encode(np.where(sent & (not self.use_sum), 0, calq).sum(axis=1)),
        }

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        sent, charge = stages["sent"], stages["charge_code"]
        n_cells = sent.sum(axis=1)
        kind = np.select([n_cells == 0, n_cells < MAP_FROM], [TYPE_EMPTY, TYPE_ADDRESSES], TYPE_MAP)
        words = np.zeros((len(sent), fields.MAX_WORDS), dtype=np.uint16)
        for n in np.unique(n_cells):
            rows = n_cells == n
            values = {"bx_counter": counter[rows], "type": kind[rows], "module_sum": stages["sum_code"][rows]}
            words[rows] = fields.pack(
                fields.threshold_sum(int(n)), values | fields.cell_values(sent[rows], charge[rows])
            )
        cut = counter << _COUNTER_SHIFT | TYPE_TRUNCATED << _TYPE_SHIFT | stages["full_sum_code"]
        idle = counter << 11 | self.sync_word
        return Packets(words, _LENGTHS[n_cells], cut.astype(np.uint16), idle.astype(np.uint16))

    def decode(self, words: Words, skip: int = 0) -> tuple[Decoded, int]:
        n_bx, per_bx = words.shape
        stream = np.concatenate([words.ravel(), np.zeros(fields.MAX_WORDS, dtype=np.uint16)])
        frames, end = _find_frames(stream.tolist(), n_bx, per_bx, skip)
        start, n_cells = np.array(frames, dtype=np.int64).reshape(-1, 2).T
        n = len(start)
        columns = {name: np.full(n, ABSENT) for name in ("bx_counter", "type", "module_sum")}
        charge = np.full((n, N_CELLS), ABSENT)
        for count in np.unique(n_cells):
            rows = np.flatnonzero(n_cells == count)
            frame = stream[start[rows][:, None] + np.arange(fields.MAX_WORDS)]
            values = fields.unpack(fields.threshold_sum(int(count)), frame)
            for name, column in columns.items():
                column[rows] = values[name]
            if count:
                charge[rows] = fields.cell_charges(values)
        calq = CHARGE.estimate(np.maximum(charge, 0), self.dropped_bits)
        decoded = Decoded(columns | {"charge": charge}, SUM.estimate(columns["module_sum"]), calq)
        return decoded, max(end - n * per_bx, 0)


_LENGTHS = np.array([fields.n_words(fields.threshold_sum(n)) for n in range(N_CELLS + 1)])
"""Words of a frame by number of cells."""


def _find_frames(stream: list[int], n_bx: int, per_bx: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """(first word, number of cells) of each frame that lies whole in the stream, and where the last one ended.

    Every BX puts one frame into the buffer before its words are sent, so a frame starts where the one before it ended,
    but not before its own BX: idle words need not be recognised. `end` is where the frame before this stream ended.
    """
    frames: list[tuple[int, int]] = []
    for bx in range(n_bx):
        start = max(end, bx * per_bx)
        if start >= n_bx * per_bx:
            break
        kind = stream[start] >> _TYPE_SHIFT & ((1 << fields.TYPE.bits) - 1)
        first, second, third = stream[start + 1 : start + 4]  # what follows the first word: a count, or the map
        words_to_count, n_cells = {
            TYPE_EMPTY: (1, 0),
            TYPE_TRUNCATED: (1, 0),
            TYPE_TRUNCATED_SHORT: (1, 0),
            TYPE_ADDRESSES: (2, first >> (WORD_BITS - 3)),
            TYPE_MAP: (4, (first << 32 | second << 16 | third).bit_count()),
        }.get(kind, (1, ABSENT))
        if start + words_to_count > n_bx * per_bx:
            break
        if n_cells == ABSENT or (kind == TYPE_ADDRESSES) != (0 < n_cells < MAP_FROM):
            if frames:  # what stands before the bad word is good
                break
            raise InputError(f"word {stream[start]:04x} begins no TS frame")
        if start + _LENGTHS[n_cells] > n_bx * per_bx:
            break
        end = start + int(_LENGTHS[n_cells])
        frames.append((start, n_cells))
    return frames, end
