"""TS: every trigger cell at or above its threshold, in frames of variable length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.algorithms.threshold_frames import (
    LENGTHS,
    TYPE_ADDRESSES,
    TYPE_EMPTY,
    TYPE_MAP,
    TYPE_SHIFT,
    TYPE_TRUNCATED,
    FrameFinder,
)
from emulator.codes import CHARGE, SUM
from emulator.fields import ABSENT, MAP_FROM
from emulator.formatter import EMPTY, Decoded, Ends, Packets, Words
from models.arrays import IntArray
from models.chip import Revision
from models.trigger_cells import N_TRIGGER_CELLS

_COUNTER_SHIFT = TYPE_SHIFT + fields.TYPE.bits


@dataclass(frozen=True)
class ThresholdSum:
    """Settings of TS; threshold (48,)."""

    counter_field: ClassVar = fields.COUNTER

    threshold: IntArray
    dropped_bits: int
    use_sum: bool
    sync_word: int
    t1: int
    revision: Revision

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        """The cells that are `sent` and their `charge_code`, (n, 48), and the sums of whole and of cut frames, (n,)."""
        sent = calq >= self.threshold
        return {
            "sent": sent,
            "charge_code": CHARGE.encode(calq, self.dropped_bits),
            "full_sum_code": SUM.encode(calq.sum(axis=1)),
            "sum_code": SUM.encode(np.where(sent & (not self.use_sum), 0, calq).sum(axis=1)),
        }

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        """Frames as long as the number of cells sent requires."""
        sent, charge = stages["sent"], stages["charge_code"]
        n_cells = sent.sum(axis=1)
        kind = np.select([n_cells == 0, n_cells < MAP_FROM], [TYPE_EMPTY, TYPE_ADDRESSES], TYPE_MAP)
        words = np.zeros((len(sent), fields.MAX_WORDS), dtype=np.uint16)
        for n in np.unique(n_cells):
            rows = n_cells == n
            values = {"bx_counter": counter[rows], "type": kind[rows], "module_sum": stages["sum_code"][rows]}
            words[rows] = fields.pack(
                fields.threshold_sum(int(n)), values | fields.cell_values(sent[rows], charge[rows], self.revision)
            )
        cut = counter << _COUNTER_SHIFT | TYPE_TRUNCATED << TYPE_SHIFT | stages["full_sum_code"]
        idle = counter << 11 | self.sync_word
        return Packets(words, LENGTHS[n_cells], cut.astype(np.uint16), idle.astype(np.uint16))

    def decode(self, words: Words, counter: IntArray, ends: Ends = EMPTY) -> tuple[Decoded, Ends]:
        """Charges of the cells that were sent, 0 for all others; frames that lost words are absent."""
        frames, ends = FrameFinder(words, counter.tolist(), self.t1).run(ends)
        start, n_cells = np.array(frames, dtype=np.int64).reshape(-1, 2).T
        stream = np.concatenate([words.ravel(), np.zeros(fields.MAX_WORDS, dtype=np.uint16)])
        n = len(start)
        columns = {name: np.full(n, ABSENT) for name in ("bx_counter", "type", "module_sum")}
        charge = np.full((n, N_TRIGGER_CELLS), ABSENT)
        for count in np.unique(n_cells[n_cells != ABSENT]):
            rows = np.flatnonzero(n_cells == count)
            frame = stream[start[rows][:, None] + np.arange(fields.MAX_WORDS)]
            values = fields.unpack(fields.threshold_sum(int(count)), frame)
            for name, column in columns.items():
                column[rows] = values[name]
            if count:
                charge[rows] = fields.cell_charges(values, self.revision)
        calq = CHARGE.estimate(np.maximum(charge, 0), self.dropped_bits)
        lost = n_cells == ABSENT
        calq[lost] = ABSENT
        decoded = Decoded(columns | {"charge": charge}, SUM.estimate(columns["module_sum"]), calq, int(lost.sum()))
        return decoded, tuple(max(end - n * words.shape[1], 0) for end in ends)
