"""A guess why a recorded capture is not as expected: each cause with the rows that are exact when it is put right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from emulator.capture.field_causes import CUT, NOTHING_IN_COMMON, counter_cause, field_causes
from emulator.capture.lanes import Etx
from emulator.capture.matching import LinkMatch, Overlay
from emulator.capture.settings import other_settings
from emulator.links import ETX
from models.arrays import BoolArray, IntArray
from models.chip import LINK_BITS
from models.registers import Registers
from models.wording import counted

_NEARLY_ALL = 0.98
"""Of the rows, the fraction in which a cause must show."""
_UNRELATED = 0.3
"""Of the bits of the links in use, the fraction that differs between captures that have nothing in common."""
_MOSTLY = 0.9
"""Of the wrong rows, the fraction that are silent if that is what is wrong."""
_FLIPS = 4
"""Wrong bits in a row that are still single errors."""
_FEW = 0.02
"""Fewer rows are single errors on the links."""


@dataclass(frozen=True)
class Cause:
    """A guess in words, and how many of `n_rows` rows are exact with it put right; None if that cannot be tried."""

    text: str
    n_exact: int | None
    n_rows: int


def causes(laid: Overlay, registers: Registers | None, erx: IntArray | None, first_bx: int) -> list[Cause]:
    """Guesses for all differences, those of the links first; `erx` is the input of the expected capture."""
    found, words, rows = list[Cause](), laid.recorded, laid.inside
    wires = [text for match in laid.links if match.sure and not match.plain for text in _wires(match, laid.links)]
    if wires:
        words, rows = laid.straightened, laid.inside & ~laid.edges
        plain, wired = laid.exact(laid.recorded), laid.exact(words)
        if (plain & ~wired).sum() > _FEW * rows.sum() and (plain | wired)[rows].all():
            first = int(np.flatnonzero(~plain & rows)[0])
            text = f"{'; '.join(dict.fromkeys(wires))}, from line {first + 2} on, in a part of the rows"
            return [Cause(text, int(((plain | wired) & rows).sum()), int(rows.sum()))]
        found.append(_tried(laid, words, rows, dict.fromkeys(wires)))
    if registers and (text := counter_cause(laid, words, registers, first_bx)):
        return [*found, Cause(text, None, int(rows.sum()))]
    if registers and erx is not None:
        other = [Cause(text, n, int(rows.sum())) for text, n in other_settings(registers, erx, laid, words, first_bx)]
        if any(cause.n_exact is not None and cause.n_exact >= _NEARLY_ALL * cause.n_rows for cause in other):
            return [*found, *other]
    for put_right in (_dead_links, _inverted_bits, _stuck_bits):
        right, texts = put_right(laid, words)
        least = _NEARLY_ALL * rows.sum() if put_right is _stuck_bits else 1
        if texts and (put_right is _dead_links or (laid.exact(right) & rows).sum() >= least):
            words = right
            found.append(_tried(laid, words, rows, texts))
    wrong = rows & ~laid.exact(words)
    if wrong.any():
        found += _of_rows(laid, words, rows=rows, wrong=wrong, registers=registers, erx=erx, first_bx=first_bx)
    return found


def _of_rows(
    laid: Overlay, words: Etx, *, rows: BoolArray, wrong: BoolArray, registers: Registers | None, erx: IntArray | None,
    first_bx: int,
) -> list[Cause]:
    """Guesses for rows that are `wrong` (n,) with all links and bits put right."""
    n_rows, different = int(rows.sum()), laid.expected[laid.place[wrong]] ^ words[wrong]
    if erx is not None and registers:
        found = [Cause(text, n, n_rows) for text, n in other_settings(registers, erx, laid, words, first_bx)]
        if found:
            return found
    n_flips, n_wrong = int(np.bitwise_count(different).sum()), int(wrong.sum())
    if (silent := wrong & ~words.any(axis=1)).sum() > _MOSTLY * n_wrong:
        text = f"rows without a bit, as if nothing was sent, the first in line {int(silent.argmax()) + 2}"
        return [Cause(text, None, n_rows)]
    few, errors = n_wrong <= max(1, _FEW * n_rows), f"{counted(n_flips, 'bit')} in {counted(n_wrong, 'row')}"
    if few and n_flips <= _FLIPS * n_wrong:
        return [Cause(f"single errors on the links: {errors}", None, n_rows)]
    texts = field_causes(laid, words, registers, first_bx) if registers else []
    if few and not any(text.endswith(CUT) for text in texts):
        texts = [f"bursts of errors on the links: {errors}"]
    used = (laid.expected != 0).any(axis=0)
    if not texts and np.bitwise_count(different[:, used]).mean() > _UNRELATED * LINK_BITS:
        texts = [NOTHING_IN_COMMON]
    return [Cause(text, None, n_rows) for text in texts]


def _tried(laid: Overlay, words: Etx, rows: BoolArray, texts: Iterable[str]) -> Cause:
    return Cause("; ".join(texts), int((laid.exact(words) & rows).sum()), int(rows.sum()))


def _wires(match: LinkMatch, links: tuple[LinkMatch, ...]) -> Iterator[str]:
    """What is wrong with one column."""
    name = f"TX_DATA_{match.column}"
    if match.link != match.column:
        back = next(other for other in links if other.link == match.column)
        if back.column == match.link:
            yield "links {} and {} are exchanged".format(*sorted((match.link, match.column)))
        else:
            yield f"{name} carries link {match.link}"
    if match.inverted:
        yield f"{name} is inverted"
    if match.late:
        yield f"{name} is {abs(match.late)} BX {'late' if match.late > 0 else 'early'} against the other links"


def _dead_links(laid: Overlay, words: Etx) -> tuple[Etx, list[str]]:
    """Columns that send one word although another is often expected, put right; and which they are."""
    right, texts = words.copy(), list[str]()
    expected, recorded = laid.expected[laid.place[laid.inside]], words[laid.inside]
    for link, name in enumerate(ETX.columns):
        if (recorded[:, link] == recorded[0, link]).all() and (expected[:, link] != expected[0, link]).mean() > _FEW:
            texts.append(f"{name} is dead: it always sends {recorded[0, link]:08x}")
            right[laid.inside, link] = expected[:, link]
    return right, texts


def _inverted_bits(laid: Overlay, words: Etx) -> tuple[Etx, list[str]]:
    """Words with the bits put right that are wrong in nearly every row; and which those are."""
    right, texts = words.copy(), list[str]()
    different = laid.expected[laid.place[laid.inside]] ^ words[laid.inside]
    for link, name in enumerate(ETX.columns):
        bits = [bit for bit in range(LINK_BITS) if (different[:, link] >> np.uint32(bit) & 1).mean() > _NEARLY_ALL]
        right[:, link] ^= np.uint32(sum(1 << bit for bit in bits))
        if len(bits) == LINK_BITS:
            texts.append(f"{name} is inverted")
        elif bits:
            texts.append(f"{_bits(bits)} of {name} {'is' if len(bits) == 1 else 'are'} inverted")
    return right, texts


def _stuck_bits(laid: Overlay, words: Etx) -> tuple[Etx, list[str]]:
    """Words with the bits put right that have one value although both are expected; and which those are."""
    right, texts = words.copy(), list[str]()
    expected, recorded = laid.expected[laid.place[laid.inside]], words[laid.inside]
    for link, name in enumerate(ETX.columns):
        for value in (0, 1):
            bits = [bit for bit in range(LINK_BITS) if _is_stuck(
                expected[:, link] >> np.uint32(bit) & 1, recorded[:, link] >> np.uint32(bit) & 1, value)]
            if bits:
                mask = np.uint32(sum(1 << bit for bit in bits))
                right[laid.inside, link] = right[laid.inside, link] & ~mask | expected[:, link] & mask
                texts.append(f"{_bits(bits)} of {name} {'is' if len(bits) == 1 else 'are'} stuck at {value}")
    return right, texts


def _bits(bits: list[int]) -> str:
    return f"bit{'s' * (len(bits) > 1)} {', '.join(map(str, bits))}"


def _is_stuck(expected: IntArray, recorded: IntArray, value: int) -> bool:
    return bool((recorded == value).all() and _FEW < expected.mean() < 1 - _FEW)
