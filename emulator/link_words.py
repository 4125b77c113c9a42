"""Words of frames on the links: a 32-bit link word holds two 16-bit words, the first in its high half."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.chip import WORD_BITS


def join_words(words: IntArray) -> npt.NDArray[np.uint32]:
    """16-bit words (..., 2 links) -> link words (..., links)."""
    wide = np.asarray(words).astype(np.uint32)
    return (wide[..., 0::2] << WORD_BITS | wide[..., 1::2]).astype(np.uint32)


def split_words(etx: IntArray) -> npt.NDArray[np.uint16]:
    """Link words (..., links) -> 16-bit words (..., 2 links)."""
    halves = np.ascontiguousarray(np.asarray(etx).astype(">u4")).view(">u2")
    return halves.astype(np.uint16)
