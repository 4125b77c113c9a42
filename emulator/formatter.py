"""What all algorithms have in common: one frame per bunch crossing, on its way to the output buffer, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emulator.fields import MAX_WORDS

IntArray = npt.NDArray[np.integer[Any]]
Words = npt.NDArray[np.uint16]

ORBIT = 3564
"""Bunch crossings in one orbit."""


def bx_counter(bx: IntArray) -> npt.NDArray[np.int64]:
    """The 5-bit counter in a frame: 31 at the first bunch crossing of an orbit, else its number modulo 16."""
    in_orbit = np.asarray(bx).astype(np.int64) % ORBIT
    return np.where(in_orbit == 0, 31, in_orbit % 16)


def short_counter(counter: IntArray) -> npt.NDArray[np.int64]:
    """The 4-bit counter of BC and STC: bit 3 of the five is left out."""
    counter = np.asarray(counter).astype(np.int64)
    return counter >> 1 & 8 | counter & 7


@dataclass(frozen=True)
class Packets:
    """One frame per bunch crossing as the buffer takes it.

    words (n, 26), of which the first `n_words` (n,) count; `truncated` (n,) replaces a frame that does not fit, `fill` (n,)
    follows the last word that there is to send.
    """

    words: Words
    n_words: npt.NDArray[np.int64]
    truncated: Words
    fill: Words

    @classmethod
    def fixed(cls, words: Words, n_words: int) -> Packets:
        """Frames of one length, which never wait; the rest of a BX is zero."""
        zero = np.zeros(len(words), dtype=np.uint16)
        return cls(words, np.full(len(words), min(n_words, MAX_WORDS), dtype=np.int64), zero, zero)


@dataclass(frozen=True)
class Decoded:
    """What the off-detector side reads in the frames.

    columns: field name -> (n,) or (n, count) integers, `fields.ABSENT` (-1) where a BX did not send the number.
    module_sum: (n,) in CALQ, -1 where there is none. calq: (n, 48) charges in CALQ in the order after the mux, or None for AE, whose
    latents need a trained decoder.
    """

    columns: dict[str, npt.NDArray[np.int64]]
    module_sum: npt.NDArray[np.int64]
    calq: npt.NDArray[np.int64] | None


class AlgorithmBlock(Protocol):
    """One of the five algorithms with its settings."""

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        """The named results for charges (n, 48), CALQ in the order after the mux."""

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        """Frames of these results; counter (n,) is the 5-bit BX counter."""

    def decode(self, words: Words, counter: IntArray) -> Decoded:
        """Read the words (n, 2 links) that the links sent in n bunch crossings with these counters."""


def with_room(words: Words) -> Words:
    """Words (n, fewer than 26) filled up with zeros, so that any layout can be read in them."""
    return np.pad(words, ((0, 0), (0, MAX_WORDS - words.shape[1])))
