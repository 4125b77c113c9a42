"""Frames back to fields and charges: what the off-detector side sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from emulator.chip import algorithm_block
from emulator.fields import ABSENT, Field
from emulator.formatter import EMPTY, Decoded, Words, bx_counter, counter_code
from emulator.link_words import split_words
from models.arrays import IntArray
from models.chip import MAX_ELINKS
from models.errors import InputError

if TYPE_CHECKING:
    from models.registers import Registers



def decode(registers: Registers, etx: IntArray, first_bx: int = 0) -> Decoded:
    """Read eTx words (n, 13) of consecutive bunch crossings, the first of which found an empty output buffer.

    TS frames that end after the last BX are absent, and so are those of which the output buffer lost words (`n_lost`).
    Raises InputError where the words are not frames of these settings.

    Examples:
        >>> import numpy as np
        >>> from emulator import EconT, decode
        >>> from models import Algorithm, Registers
        >>> settings = Registers.reset().with_values({"MFC_ALGORITHM_SEL_DENSITY.algo.select": Algorithm.BEST_CHOICE})
        >>> frames = EconT(settings).run_calq(np.full((4, 48), 1024))
        >>> decode(settings, frames.etx).module_sum.tolist()  # 49152 in the frame's floating code
        [51200, 51200, 51200, 51200]
    """
    return Decoded.concatenate(list(decode_stream(registers, [etx], first_bx)))


def decode_stream(
    registers: Registers, chunks: Iterable[IntArray], first_bx: int = 0, check_counter: bool = True
) -> Iterator[Decoded]:
    """As `decode` for chunks that follow one another; the bunch crossings come out in other portions."""
    block, per_bx = algorithm_block(registers), 2 * registers.n_elinks
    rest = np.zeros((0, per_bx), dtype=np.uint16)
    bx, ends = first_bx, EMPTY
    no_more = np.zeros((0, MAX_ELINKS), dtype=np.uint32)
    for etx in chain(chunks, [no_more]):
        words = np.concatenate([rest, _words(etx)[:, :per_bx]])
        try:
            decoded, ends = block.decode(words, bx_counter(bx + np.arange(len(words))), ends)
            if check_counter:
                _check_counters(block.counter_field, decoded, bx)
        except InputError as error:
            raise InputError(f"BX {bx}: {error}; do these registers belong to this output?") from None
        rest = words[len(decoded) :]
        bx += len(decoded)
        yield decoded
    if len(rest):
        yield decoded.absent(len(rest))


def _words(etx: IntArray) -> Words:
    """The 16-bit words of all links, (n, 13) -> (n, 26)."""
    etx = np.asarray(etx)
    if etx.shape[1:] != (MAX_ELINKS,) or etx.dtype.kind not in "iu":
        raise ValueError(f"etx is {etx.dtype}{etx.shape}, expected integers of shape (n, {MAX_ELINKS})")
    return split_words(etx)


def _check_counters(field: Field, decoded: Decoded, first_bx: int) -> None:
    found = decoded.columns.get(field.name)
    if found is None:  # the empty frames of an STC type with more links than it can fill
        return
    expected = counter_code(field, bx_counter(first_bx + np.arange(len(decoded))))
    wrong = np.flatnonzero((found != expected) & (found != ABSENT))
    if len(wrong):
        i = int(wrong[0])
        raise InputError(f"{field.name} of BX {first_bx + i} is {found[i]}, expected {expected[i]}")
