"""Frames out of numbered rows: what can be read is read, the rest is left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from emulator.algorithms.threshold_sum import ThresholdSum
from emulator.capture.numbering import UNKNOWN
from emulator.fields import ABSENT
from emulator.formatter import AlgorithmBlock, Decoded, Ends, Words
from emulator.output_buffer import CAPACITY
from models.arrays import BoolArray, Int64Array, IntArray
from models.errors import InputError

_CHUNK = 4096
"""Rows that are read at once."""
_TRIED = 40
"""Rows on which counters are tried if nothing tells them."""
_MOST_BREAKS = 8
"""Places at which they are tried again in a capture."""


def read_fixed(block: AlgorithmBlock, words: Words, counter: IntArray, good: BoolArray) -> Decoded:
    """Frames of AE, BC, STC or RPT, absent in rows that are not `good` (n,)."""
    decoded, _ = block.decode(words, counter)
    return _join([decoded], good)


def read_threshold_sum(
    block: ThresholdSum, words: Words, counter: IntArray, breaks: Sequence[int], ends: Ends | None = None
) -> Decoded:
    """Frames of TS; `breaks` are rows before which others are missing.

    `ends` is where the frame before the first row may end; what waited before other rows is not known. A frame that
    cannot be read is absent, and so are the next ones until the counters of some that follow one another tell where
    they begin.
    """
    parts = []
    for first, last in pairwise([0, *breaks, len(words)]):
        parts += _read_part(block, words[first:last], counter[first:last], None if first else ends)
    return _join(parts, np.ones(len(words), dtype=bool))


def _anywhere(block: ThresholdSum) -> Ends:
    """Where the frame before a row may end if it is not known what waited in the buffer."""
    return tuple(range(min(block.t1, CAPACITY) + 1))


def _read_part(block: ThresholdSum, words: Words, counter: IntArray, ends: Ends | None = None) -> list[Decoded]:
    nothing, _ = block.decode(words[:0], counter[:0])
    parts, row, ends = [nothing], 0, ends or _anywhere(block)
    while row < len(words):
        try:
            chunk = slice(row, row + _CHUNK)
            decoded, next_ends = block.decode(words[chunk], counter[chunk], ends)
        except InputError:
            parts.append(nothing.absent(1))
            row, ends = row + 1, _anywhere(block)
            continue
        if not len(decoded):
            break
        found = decoded.columns["bx_counter"]
        wrong = np.flatnonzero((found != counter[row : row + len(found)]) & (found != ABSENT))
        if len(wrong):  # what stands at the place of that frame is another one, or damaged
            decoded = Decoded.concatenate([decoded.first(int(wrong[0])), nothing.absent(1)])
            next_ends = _anywhere(block)
        parts.append(decoded)
        row, ends = row + len(decoded), next_ends
    return [*parts, nothing.absent(len(words) - row)]


def frame_counters(block: ThresholdSum, words: Words) -> Int64Array:
    """The counters of TS frames in rows without idle words, UNKNOWN where no frame was found, (n,)."""
    found = np.full(len(words), UNKNOWN, dtype=np.int64)
    row, n_tried = 0, _TRIED + len(_anywhere(block)) // words.shape[1]
    for _ in range(_MOST_BREAKS):
        if len(words) - row < n_tried:
            break
        # The counters of a few frames in sequence choose where they begin; further ones need not be known.
        tried = words[row : row + n_tried]
        n_read = [sum(int((part.columns["bx_counter"] != ABSENT).sum()) for part in _read_part(block, tried, counter))
                  for counter in (np.arange(start, start + n_tried) % 16 for start in range(16))]
        best = int(np.argmax(n_read))
        if n_read[best] > _TRIED // 2:
            try:
                decoded, _ = block.decode(words[row:], np.arange(best, best + len(words) - row) % 16, _anywhere(block))
                found[row : row + len(decoded)] = decoded.columns["bx_counter"]
                row += len(decoded)
            except InputError:
                pass
        row += _TRIED // 4
    return np.where(found == ABSENT, UNKNOWN, found)


def _join(parts: list[Decoded], good: BoolArray) -> Decoded:
    """All frames of the parts, those of other rows absent."""
    decoded = Decoded.concatenate(parts)
    absent = decoded.absent(len(decoded))
    columns = {name: np.where(_over(good, column), column, absent.columns[name])
               for name, column in decoded.columns.items()}
    calq = None if decoded.calq is None or absent.calq is None else np.where(good[:, None], decoded.calq, absent.calq)
    return Decoded(columns, np.where(good, decoded.module_sum, absent.module_sum), calq, decoded.n_lost)


def _over(good: BoolArray, column: Int64Array) -> BoolArray:
    return good.reshape(len(good), *[1] * (column.ndim - 1))
