"""Which column of a capture carries which link: in another order, inverted, with words that begin at another bit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.algorithms.threshold_sum import ThresholdSum
from emulator.capture.numbering import follows
from emulator.capture.rules import FrameRules
from emulator.fields import COUNTER, SHORT_COUNTER, Field
from emulator.formatter import AlgorithmBlock
from emulator.link_words import split_words
from models.arrays import BoolArray, IntArray
from models.chip import LINK_BITS, MAX_ELINKS
from models.errors import InputError
from models.registers import Registers
from models.wording import counted

_ALL_ONES = (1 << LINK_BITS) - 1
_FEW_ROWS, _MANY_ROWS = 96, 4000
"""Rows on which all orders of the links are tried, and those that are left of them."""
_MOST_ORDERS = 400
"""Orders and inversions that are all tried; where there are more, links are exchanged while that helps."""
_MOST_DOUBTFUL = 50
"""Orders that are tried on many rows."""
_DAMAGED, _DAMAGED_OF_MANY = 1 / 50, 1 / 1000
"""Of few and of many rows, the fraction that may be damaged: orders that differ in fewer fit equally well."""
_CHANCE = 1 / 200
"""Of the rows, the fraction in which a column may look by chance, or by damage, like one that it is not."""
_FITS = 9 / 10
"""Of the sample, the rows that must be frames under an order that is said to be found."""
_SEEN = 9 / 10
"""Of the rows, the fraction that must go on counting in the column of the counter."""

Etx = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Lanes:
    """The columns (0..12) of links 0, 1, .., those of them that are inverted, and the bit at which words begin.

    `n_orders` counts the orders that fit the frames equally well: more than 1 if the frames do not tell, 0 if none
    fits.
    """

    columns: tuple[int, ...]
    inverted: frozenset[int] = frozenset()
    bit: int = 0
    n_orders: int = 1

    @property
    def straight(self) -> bool:
        """Whether the words stand as the chip sends them."""
        return self == Lanes(tuple(range(len(self.columns))), n_orders=self.n_orders)

    def links(self, etx: IntArray) -> Etx:
        """Words of the links, (n, 13) with link 0 first, of the rows of a capture (n, 13)."""
        words = at_bit(np.asarray(etx), self.bit)
        mask = np.array([_ALL_ONES if column in self.inverted else 0 for column in self.columns], dtype=np.uint32)
        found = np.zeros((len(words), MAX_ELINKS), dtype=np.uint32)
        found[:, : len(self.columns)] = words[:, self.columns] ^ mask
        return found


def at_bit(etx: IntArray, bit: int) -> Etx:
    """Words that begin `bit` bits later in the stream of every link; the last row is lost unless that is 0."""
    words = etx.astype(np.uint64)
    if not bit:
        return words.astype(np.uint32)
    return (words[:-1] << np.uint64(bit) | words[1:] >> np.uint64(LINK_BITS - bit)).astype(np.uint32)


def given_lanes(n_elinks: int, columns: Sequence[int] | None, inverted: Sequence[int]) -> Lanes | None:
    """What the user says of the columns; None without an order. Raises InputError."""
    for name, numbers in (("--links", columns or ()), ("--inverted", inverted)):
        odd = next((number for number in numbers if not 0 <= number < MAX_ELINKS), None)
        if odd is not None:
            raise InputError(f"{name}: column {odd}, expected 0..{MAX_ELINKS - 1}")
        if len(set(numbers)) != len(numbers):
            raise InputError(f"{name}: {', '.join(map(str, numbers))}: a column twice")
    if columns is None:
        if inverted:
            raise InputError("--inverted needs --links, the column of each link; without both they are found")
        return None
    if len(columns) != n_elinks:
        raise InputError(f"--links: {counted(len(columns), 'column')}, expected {n_elinks} as in the registers")
    odd = next((number for number in inverted if number not in columns), None)
    if odd is not None:
        raise InputError(f"--inverted: column {odd} is not one of --links")
    return Lanes(tuple(columns), frozenset(inverted))


def find_lanes(registers: Registers, block: AlgorithmBlock, etx: IntArray) -> Lanes:
    """The lanes under which the rows of a capture (n, 13) are frames of these settings.

    A row is followed by that of the next bunch crossing, gaps apart. Raises InputError if no column counts them.
    """
    if isinstance(block, ThresholdSum):
        return _by_idle_words(registers, etx)
    column, inverted, bit = _counter_column(block.counter_field, etx)
    words = at_bit(etx, bit)
    return _best_order(registers, words, Lanes((column,), frozenset([column] if inverted else []), bit))


def _counter_column(field: Field, etx: IntArray) -> tuple[int, bool, int]:
    """The column that counts bunch crossings, whether it is inverted, and the bit at which its words begin."""
    found = _counting(field, etx)
    if found:
        return found
    other = SHORT_COUNTER if field == COUNTER else COUNTER
    kinds = {COUNTER: "AE, RPT and TS", SHORT_COUNTER: "BC and STC"}
    hint = f": a counter of {other.bits} bits is there, as in frames of {kinds[other]}" if _counting(other, etx) else ""
    raise InputError(f"no column goes on counting bunch crossings in its first {field.bits} bits{hint}; do these "
                     "registers belong to this capture?")


def _counting(field: Field, etx: IntArray) -> tuple[int, bool, int] | None:
    best, found = _SEEN, None
    for bit in range(LINK_BITS):
        words = at_bit(etx, bit)
        for column, flip in itertools.product(range(MAX_ELINKS), (0, _ALL_ONES)):
            counter = (words[:, column] ^ np.uint32(flip)) >> (LINK_BITS - field.bits)
            share = follows(field, counter)
            if share > best:
                best, found = share, (column, bool(flip), bit)
        if found:
            return found
    return None


def _best_order(registers: Registers, words: Etx, first: Lanes) -> Lanes:
    """The order of the other links under which most rows can be frames; the plainest of equal ones."""
    n_elinks, rules = registers.n_elinks, FrameRules.of(registers)
    others = _candidates(n_elinks - 1, words, first)

    def score(order: Lanes, rows: Etx) -> tuple[int, int]:
        obeyed = rules.obeyed(split_words(replace(order, bit=0).links(rows))[:, : 2 * n_elinks])
        return int(obeyed.all(axis=1).sum()), int(obeyed.sum())

    def best(orders: Sequence[Lanes], rows: Etx, damaged: float) -> list[Lanes]:
        scored = sorted(((score(order, rows), order) for order in orders), key=lambda pair: pair[0], reverse=True)
        least = scored[0][0][0] - max(2, int(damaged * len(rows)))
        return [order for (n_possible, _), order in scored if n_possible >= least]

    few, many = (words[np.linspace(0, len(words) - 1, min(len(words), n)).astype(np.int64)]
                 for n in (_FEW_ROWS, _MANY_ROWS))
    if math.factorial(len(others)) * 2 ** len(others) > _MOST_ORDERS:
        found = _climb(lambda order: score(order, few), replace(first, columns=(*first.columns, *others)))
        orders = [found, *_neighbours(found)]
    else:
        orders = best(list(_all_orders(first, others)), few, _DAMAGED)
    if len(orders) <= _MOST_DOUBTFUL:
        orders = best(orders, many, _DAMAGED_OF_MANY)
    chosen = next((order for order in orders if order.straight), orders[0])
    return replace(chosen, n_orders=len(orders) if score(chosen, few)[0] >= _FITS * len(few) else 0)


def _candidates(n: int, words: Etx, first: Lanes) -> list[int]:
    """Columns of the other n links: those that change most, then those that are all ones, then the first ones."""
    usual = np.sort(words, axis=0)[len(words) // 2]
    n_changes = (words != usual).sum(axis=0)
    others = [column for column in range(MAX_ELINKS) if column not in first.columns]
    return sorted(sorted(others, key=lambda column: (-n_changes[column], usual[column] == 0))[:n])


def _all_orders(first: Lanes, others: Sequence[int]) -> Iterator[Lanes]:
    """All orders and inversions, those that change least first."""
    for flips in sorted(itertools.product((False, True), repeat=len(others)), key=sum):
        for columns in itertools.permutations(others):
            inverted = first.inverted | {column for column, flip in zip(columns, flips, strict=True) if flip}
            yield replace(first, columns=(*first.columns, *columns), inverted=inverted)


def _climb(score: Callable[[Lanes], tuple[int, int]], order: Lanes) -> Lanes:
    """Exchange two links or invert one as long as more rows can be frames."""
    best = score(order)
    while moves := _neighbours(order):
        values = [score(move) for move in moves]
        if max(values) <= best:
            break
        best = max(values)
        order = moves[values.index(best)]
    return order


def _neighbours(order: Lanes) -> list[Lanes]:
    n = len(order.columns)
    moves = [replace(order, columns=_exchanged(order.columns, i, k)) for i in range(1, n) for k in range(i + 1, n)]
    return moves + [replace(order, inverted=order.inverted ^ {column}) for column in order.columns[1:]]


def _exchanged(columns: tuple[int, ...], i: int, k: int) -> tuple[int, ...]:
    changed = list(columns)
    changed[i], changed[k] = changed[k], changed[i]
    return tuple(changed)


def idle_halves(registers: Registers, words: Etx) -> BoolArray:
    """Which 16-bit words (n, 2 columns) are filled with the idle word, whatever bunch crossing they name."""
    low = split_words(words) & ((1 << fields.idle()[1].bits) - 1)
    found: BoolArray = low == registers.filling_word
    return found


def _by_idle_words(registers: Registers, etx: IntArray) -> Lanes:
    """TS: idle words follow the frames, so that a later link has them whenever an earlier one does."""
    words = etx.astype(np.uint32)
    n_idle, n_inverted = (idle_halves(registers, words ^ np.uint32(flip)).sum(axis=0).reshape(MAX_ELINKS, 2).sum(axis=1)
                          for flip in (0, _ALL_ONES))
    inverted = np.flatnonzero((n_inverted > 2 * n_idle) & (n_inverted > _CHANCE * len(words)))
    used = ((words != 0) & (words != _ALL_ONES)).mean(axis=0) > _CHANCE
    counts = np.where(np.isin(np.arange(MAX_ELINKS), inverted), n_inverted, n_idle)
    # A column that is in use comes before one that is not, and one with fewer idle words before one with more.
    order = sorted(range(MAX_ELINKS), key=lambda column: (not used[column], counts[column], column))
    columns = tuple(order[: registers.n_elinks])
    return Lanes(columns, frozenset(inverted.tolist()) & frozenset(columns))
