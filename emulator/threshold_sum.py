"""TS: every trigger cell at or above its threshold, in frames of variable length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.codes import CHARGE, SUM
from emulator.fields import ABSENT, MAP_FROM, N_CELLS, WORD_BITS
from emulator.formatter import Decoded, Packets, Words
from models.errors import InputError

IntArray = npt.NDArray[np.integer[Any]]

TYPE_EMPTY, TYPE_ADDRESSES, TYPE_MAP = 0b000, 0b010, 0b100
TYPE_TRUNCATED, TYPE_TRUNCATED_SHORT = 0b110, 0b111
"""What the buffer makes of a frame that does not fit (over T1), or of a short one while many wait (T2, T3)."""

_TYPE_SHIFT = SUM.bits  # the type stands between the counter and the sum, in the first word
_COUNTER_SHIFT = _TYPE_SHIFT + fields.TYPE.bits


@dataclass(frozen=True)
class ThresholdSum:
    """Settings of TS; threshold (48,)."""

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

    def decode(self, words: Words, counter: IntArray) -> Decoded:
        """The stream must begin with an empty buffer; frames that end after the last BX are absent.

        Raises InputError at a word that begins no frame: from there on the stream cannot be followed.
        """
        n_bx, per_bx = words.shape
        stream = np.concatenate([words.ravel(), np.zeros(fields.MAX_WORDS, dtype=np.uint16)])
        start, n_cells = np.array(list(_frames(stream.tolist(), n_bx, per_bx)), dtype=np.int64).reshape(-1, 2).T
        columns = {name: np.full(n_bx, ABSENT, dtype=np.int64) for name in ("bx_counter", "type", "module_sum")}
        charge = np.full((n_bx, N_CELLS), ABSENT, dtype=np.int64)
        for n in np.unique(n_cells):
            rows = np.flatnonzero(n_cells == n)
            frames = stream[start[rows][:, None] + np.arange(fields.MAX_WORDS)]
            values = fields.unpack(fields.threshold_sum(int(n)), frames)
            for name in columns:
                columns[name][rows] = values[name]
            if n:
                charge[rows] = fields.cell_charges(values)
        sums = columns["module_sum"]
        return Decoded(
            columns | {"charge": charge},
            np.where(sums == ABSENT, ABSENT, SUM.estimate(sums)),
            CHARGE.estimate(np.maximum(charge, 0), self.dropped_bits),
        )


_LENGTHS = np.array([fields.n_words(fields.threshold_sum(n)) for n in range(N_CELLS + 1)])
"""Words of a frame by number of cells."""


def _frames(stream: list[int], n_bx: int, per_bx: int) -> Iterator[tuple[int, int]]:
    """(first word, number of cells) of the frame of each BX, while it lies whole in the stream.

    Every BX puts one frame into the buffer before its words are sent, so a frame starts where the one before it ended, but
    not before its own BX: idle words need not be recognised.
    """
    end = 0
    for bx in range(n_bx):
        start = max(end, bx * per_bx)
        kind = stream[start] >> _TYPE_SHIFT & 7
        first, second, third = stream[start + 1 : start + 4]  # what follows the first word: a count, or the map
        n_cells = {
            TYPE_EMPTY: 0,
            TYPE_TRUNCATED: 0,
            TYPE_TRUNCATED_SHORT: 0,
            TYPE_ADDRESSES: first >> (WORD_BITS - 3),
            TYPE_MAP: (first << 32 | second << 16 | third).bit_count(),
        }.get(kind, ABSENT)
        if n_cells == ABSENT or (kind == TYPE_ADDRESSES) != (0 < n_cells < MAP_FROM):
            raise InputError(f"BX {bx}: word {stream[start]:04x} with {n_cells} cells begins no TS frame")
        end = start + int(_LENGTHS[n_cells])
        if end > n_bx * per_bx:
            return
        yield start, n_cells
