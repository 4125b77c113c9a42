"""Where two captures differ: links, bits and fields, counted, and the first difference field by field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.algorithms.threshold_sum import ThresholdSum
from emulator.capture.frames import read_threshold_sum
from emulator.capture.lanes import Etx
from emulator.chip import algorithm_block
from emulator.formatter import EMPTY, Decoded, bx_counter
from emulator.link_words import split_words
from emulator.mismatch import Mismatch, different_fields, different_frames, mismatch_of
from models.arrays import Int64Array
from models.chip import LINK_BITS
from models.registers import Registers


@dataclass(frozen=True)
class Differences:
    """Counts of what differs between expected and found words (n, 13) of the same bunch crossings.

    links (13,): rows; bits (13, 32): rows, the highest bit of a word first; fields: frames, by name, with the frames by
    place in a field of several numbers. `first` is None if nothing differs; without registers it has no fields.
    """

    n_rows: int
    n_frames: int
    links: Int64Array
    bits: Int64Array
    fields: dict[str, tuple[int, Int64Array]]
    first: Mismatch | None


def frames_of(registers: Registers, etx: Etx, first_bx: int) -> Decoded:
    """Frames of consecutive bunch crossings, those of TS that cannot be read absent; the buffer was empty before."""
    block, words = algorithm_block(registers), split_words(etx)[:, : 2 * registers.n_elinks]
    counter = bx_counter(first_bx + np.arange(len(words)))
    if isinstance(block, ThresholdSum):
        return read_threshold_sum(block, words, counter, (), EMPTY)
    return block.decode(words, counter)[0]


def differences(expected: Etx, found: Etx, registers: Registers | None, first_bx: int) -> Differences:
    """Count what differs; `first_bx` is the number of the first row, which found an empty buffer."""
    different = expected ^ found
    bits = np.stack([(different >> np.uint32(bit) & 1).sum(axis=0) for bit in range(LINK_BITS - 1, -1, -1)], axis=1)
    fields, first, n_frames = dict[str, tuple[int, Int64Array]](), None, 0
    rows = different.any(axis=1)
    if registers and rows.any():
        frames = frames_of(registers, expected, first_bx), frames_of(registers, found, first_bx)
        first, n_frames = mismatch_of(expected, found, *frames), int(different_frames(*frames).sum())
        fields = {name: (int(column.any(axis=1).sum()), np.asarray(column.sum(axis=0), dtype=np.int64))
                  for name, column in different_fields(*frames).items() if column.any()}
    elif rows.any():
        nothing = Decoded({}, np.zeros(0, dtype=np.int64), None)
        first = mismatch_of(expected, found, nothing, nothing)
    return Differences(int(rows.sum()), n_frames, np.asarray((different != 0).sum(axis=0), dtype=np.int64),
                       np.asarray(bits, dtype=np.int64), fields, first)
