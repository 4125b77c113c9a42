"""A capture as a test stand records it, aligned: columns to links, rows to bunch crossings, words to frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.algorithms.super_trigger_cell import SuperTriggerCell
from emulator.algorithms.threshold_sum import ThresholdSum
from emulator.capture.frames import frame_counters, read_fixed, read_threshold_sum
from emulator.capture.lanes import Etx, Lanes, find_lanes, idle_halves
from emulator.capture.numbering import UNKNOWN, Numbering, number_rows
from emulator.capture.rules import FrameRules
from emulator.chip import algorithm_block
from emulator.fields import ABSENT, COUNTER
from emulator.formatter import Decoded, Words, bx_counter, counter_code
from emulator.link_words import split_words
from models.arrays import BoolArray, Int64Array, IntArray
from models.chip import ORBIT, WORD_BITS
from models.errors import InputError
from models.registers import Registers

_FEW = 1 / 50
"""With fewer rows that end in an idle word, the frames themselves tell the counters of TS."""
_LEAST_ROWS = 4
_COUNTER_SHIFT = WORD_BITS - COUNTER.bits
_MOSTLY = 1 / 2
"""Of the rows that show a counter, the fraction that must be those of their numbers."""


@dataclass(frozen=True)
class Aligned:
    """What was found in a capture, and its n rows without repeated ones.

    row (n,) are their places in the capture, 0 first; bx (n,) their numbers, which count on through the orbits. A row
    is a frame (TS: the frame of its bunch crossing was read), else `idle`, else damaged.
    """

    registers: Registers
    lanes: Lanes
    numbering: Numbering
    row: Int64Array
    etx: Etx
    decoded: Decoded
    is_frame: BoolArray
    is_idle: BoolArray
    n_repeated: int

    @property
    def bx(self) -> Int64Array:
        """Number of each row; 3564 is the first bunch crossing of the second orbit."""
        return self.numbering.bx

    @property
    def n_damaged(self) -> int:
        """Rows that are neither a frame nor idle."""
        return int((~self.is_frame & ~self.is_idle).sum())

    @property
    def orbit_starts(self) -> Int64Array:
        """Places in the capture of the rows that start an orbit."""
        starts: Int64Array = self.row[(self.bx % ORBIT == 0) & self.numbering.agrees]
        return starts


def align(registers: Registers, etx: IntArray, lanes: Lanes | None = None) -> Aligned:
    """Find out what the rows of a capture (n, 13) are; `lanes` says which column is which link, else it is found.

    Raises InputError where the rows are not frames of these settings at all.
    """
    block = algorithm_block(registers)
    if isinstance(block, SuperTriggerCell) and not block.n_sent:
        raise InputError(f"{block.kind.name} fills at most {len(block.kind.groups_sent)} links, not "
                         f"{registers.n_elinks}: its frames are empty and cannot be aligned")
    raw: Etx = np.asarray(etx).astype(np.uint32)
    n_words, counted = 2 * registers.n_elinks, not isinstance(block, ThresholdSum)
    row = np.flatnonzero(~_repeated(raw)) if counted else np.arange(len(raw))
    if len(row) < _LEAST_ROWS:
        raise InputError(f"{len(row)} different rows, expected {_LEAST_ROWS} or more that follow one another")
    lanes = lanes or find_lanes(registers, block, raw[row])
    links = lanes.links(raw[row])
    halves = idle_halves(registers, links)[:, :n_words]
    if not counted:  # long frames of equal charges repeat rows too: only an idle word tells that one is a copy
        row = np.flatnonzero(~(_repeated(links) & halves[:, -1]))
        links, halves = links[row], halves[row]
    row, words = row[: len(links)], split_words(links)[:, :n_words]
    if isinstance(block, ThresholdSum):
        numbering, decoded = _threshold_sum(block, words, halves[:, -1])
        is_idle = np.zeros(len(words), dtype=bool)
    else:
        counters = words >> _COUNTER_SHIFT
        is_idle = halves.all(axis=1) & (counters == counters[:, :1]).all(axis=1)
        numbering, decoded = _fixed(FrameRules.of(registers), words, is_idle)
    is_frame = decoded.columns["bx_counter"] != ABSENT
    return Aligned(registers, lanes, numbering, row, links, decoded, is_frame, is_idle & ~is_frame,
                   len(raw) - len(row) - bool(lanes.bit))


def _repeated(etx: Etx) -> BoolArray:
    """Rows that are equal to the one before: counters never repeat."""
    found = np.zeros(len(etx), dtype=bool)
    found[1:] = (etx[1:] == etx[:-1]).all(axis=1)
    return found


def _fixed(rules: FrameRules, words: Words, is_idle: BoolArray) -> tuple[Numbering, Decoded]:
    field = rules.block.counter_field
    counter = (words[:, 0] >> WORD_BITS - field.bits).astype(np.int64)
    counter[is_idle] = counter_code(field, words[is_idle, 0] >> _COUNTER_SHIFT)
    numbering = _checked(number_rows(field, counter), counter)
    good = numbering.agrees & ~is_idle & rules.obeyed(words).all(axis=1)
    return numbering, read_fixed(rules.block, words, bx_counter(numbering.bx), good)


def _threshold_sum(block: ThresholdSum, words: Words, ends_idle: BoolArray) -> tuple[Numbering, Decoded]:
    counter = np.where(ends_idle, words[:, -1].astype(np.int64) >> _COUNTER_SHIFT, UNKNOWN)
    if ends_idle.mean() < _FEW:
        counter = frame_counters(block, words)
    numbering = _checked(number_rows(COUNTER, counter), counter)
    breaks = [gap.row for gap in numbering.gaps]
    return numbering, read_threshold_sum(block, words, bx_counter(numbering.bx), breaks)


def _checked(numbering: Numbering, counter: Int64Array) -> Numbering:
    known = counter != UNKNOWN
    if not known.any() or numbering.agrees[known].mean() < _MOSTLY:
        raise InputError(f"{int(numbering.agrees.sum())} of {len(counter)} rows go on counting bunch crossings; do "
                         "these registers belong to this capture?")
    return numbering
