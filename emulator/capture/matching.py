"""Two captures of the same data laid over each other: which column is which, how late, and which rows are missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emulator.capture.lanes import Etx
from models.arrays import BoolArray, Int64Array
from models.chip import LINK_BITS, MAX_ELINKS

_ALL_ONES = np.uint32((1 << LINK_BITS) - 1)
_RARE = 4
"""A word that a column holds at most this often tells where it stands."""
_VOTES = 8
"""Rare words that must agree on a place, ..."""
_SHARE = 1 / 20
"""... and the fraction of all rows that they must be."""
_CONFIRMED = 3
"""Rows in sequence that must agree on the end of a gap."""
_BETTER = 0.7
"""The fraction of different bits that may be left by moving them; else they stay where they are."""
_REACH = 100
"""Rows by which captures without a common word are moved against each other."""


@dataclass(frozen=True)
class LinkMatch:
    """The expected link that a recorded column holds, and the rows by which it is late against most others.

    `sure` is false if no word told and the column was taken because it is left over.
    """

    link: int
    column: int
    inverted: bool
    late: int
    sure: bool

    @property
    def plain(self) -> bool:
        """Whether it is as expected."""
        return self.link == self.column and not self.inverted and not self.late


@dataclass(frozen=True)
class Overlay:
    """A recorded capture (n, 13) on the rows of an expected one.

    place (n,) is the expected row of each recorded one; outside of the expected rows there is nothing to compare with.
    """

    expected: Etx
    recorded: Etx
    links: tuple[LinkMatch, ...]
    place: Int64Array

    @cached_property
    def inside(self) -> BoolArray:
        """Recorded rows that have an expected one."""
        return np.asarray((self.place >= 0) & (self.place < len(self.expected)), dtype=np.bool_)

    @property
    def n_compared(self) -> int:
        """Rows on both sides."""
        return int(self.inside.sum())

    def on_expected(self, words: Etx) -> Etx:
        """Recorded words on the rows of the expected capture, which fills the rows that were not recorded."""
        found = self.expected.copy()
        found[self.place[self.inside]] = words[self.inside]
        return found

    @cached_property
    def straightened(self) -> Etx:
        """The recorded words with columns, inversions and late links as expected; (n, 13)."""
        found = self.recorded.copy()
        for match in self.links:
            words = self.recorded[:, match.column] ^ (_ALL_ONES if match.inverted else np.uint32(0))
            found[:, match.link] = np.roll(words, -match.late)
        return found

    @cached_property
    def edges(self) -> BoolArray:
        """Rows at the ends that are not whole because a link is late or early."""
        row, late = np.arange(len(self.place)), [match.late for match in self.links]
        return np.asarray((row >= len(row) - max(late)) | (row < -min(late)), dtype=np.bool_)

    def exact(self, words: Etx) -> BoolArray:
        """Recorded rows that are as expected in every bit."""
        same = np.zeros(len(words), dtype=bool)
        same[self.inside] = (words[self.inside] == self.expected[self.place[self.inside]]).all(axis=1)
        return same


def overlay(expected: Etx, recorded: Etx) -> Overlay:
    """Lay a recorded capture (n, 13) over an expected one (m, 13)."""
    votes = {(link, column, flip): found for link in range(MAX_ELINKS) if _tells(expected[:, link])
             for column in range(MAX_ELINKS) if _tells(recorded[:, column])
             for flip in (False, True)
             if (found := _votes(expected[:, link], recorded[:, column] ^ (_ALL_ONES if flip else np.uint32(0))))}
    sure = _assigned(votes, len(recorded))
    offset = _common_offset(sure, votes) if sure else _by_bits(expected, recorded)
    matches = [LinkMatch(link, column, flip, offset - votes[link, column, flip][1], True)
               for link, column, flip in sure]
    matches += _left_over(matches)
    matches.sort(key=lambda match: match.link)
    prompt = [match for match in matches if match.sure and not match.late]
    return Overlay(expected, recorded, tuple(matches), _places(expected, recorded, prompt, offset))


def _tells(words: Etx) -> bool:
    return bool((words != words[0]).any())


def _votes(expected: Etx, recorded: Etx) -> tuple[int, int] | None:
    """How many rare words agree on one offset, expected row less recorded row, and that offset."""
    order = np.argsort(expected, kind="stable")
    words = expected[order]
    first = np.searchsorted(words, recorded, "left")
    count = np.searchsorted(words, recorded, "right") - first
    rare = (count > 0) & (count <= _RARE)
    row, start, n = np.flatnonzero(rare), first[rare], count[rare]
    offsets = np.concatenate([order[start[n > k] + k] - row[n > k] for k in range(_RARE)])
    if not len(offsets):
        return None
    values, counts = np.unique(offsets, return_counts=True)
    best = int(counts.argmax())
    return int(counts[best]), int(values[best])


def _assigned(votes: dict[tuple[int, int, bool], tuple[int, int]], n_rows: int) -> list[tuple[int, int, bool]]:
    """Each link with the column that has most of its words, where enough agree."""
    enough = max(_VOTES, _SHARE * n_rows) if n_rows > _VOTES else n_rows
    chosen: list[tuple[int, int, bool]] = []
    for key in sorted(votes, key=lambda key: (-votes[key][0], key[0] != key[1], key)):
        link, column, _ = key
        if votes[key][0] >= enough and all(link != other[0] and column != other[1] for other in chosen):
            chosen.append(key)
    return chosen


def _common_offset(
    sure: list[tuple[int, int, bool]], votes: dict[tuple[int, int, bool], tuple[int, int]]
) -> int:
    """The offset that most links have; of equal ones that of link 0, which counts bunch crossings."""
    offsets = [votes[key][1] for key in sure]
    by_link = {key[0]: votes[key][1] for key in sure}
    most = max(offsets.count(offset) for offset in offsets)
    best = [offset for offset in offsets if offsets.count(offset) == most]
    return by_link[0] if by_link.get(0) in best else best[0]


def _by_bits(expected: Etx, recorded: Etx) -> int:
    """The offset at which most bits are equal, for captures that have no words in common."""
    reach = min(_REACH, len(expected) - 1, len(recorded) - 1)
    shares = {}
    for offset in sorted(range(-reach, reach + 1), key=abs):
        rows = np.arange(max(-offset, 0), min(len(recorded), len(expected) - offset))[: 4 * _REACH]
        shares[offset] = float(np.bitwise_count(expected[rows + offset] ^ recorded[rows]).mean())
    best = min(shares, key=lambda offset: shares[offset])
    return best if shares[best] < _BETTER * shares[0] else 0


def _left_over(matches: list[LinkMatch]) -> list[LinkMatch]:
    """Links that no word told: the column of their number if it is free, else what is left."""
    links = [link for link in range(MAX_ELINKS) if all(match.link != link for match in matches)]
    columns = [column for column in range(MAX_ELINKS) if all(match.column != column for match in matches)]
    own = [link for link in links if link in columns]
    rest = zip([link for link in links if link not in own], [column for column in columns if column not in own],
               strict=True)
    return [LinkMatch(link, column, False, 0, False) for link, column in [*((link, link) for link in own), *rest]]


def _places(expected: Etx, recorded: Etx, prompt: list[LinkMatch], offset: int) -> Int64Array:
    """Expected row of each recorded row: the offset changes where rows are missing on one side."""
    place = np.arange(len(recorded)) + offset
    if not prompt:
        return place
    flips = np.array([_ALL_ONES if match.inverted else 0 for match in prompt], dtype=np.uint32)
    there = _keys(expected[:, [match.link for match in prompt]])
    here = _keys(recorded[:, [match.column for match in prompt]] ^ flips)
    rows: dict[bytes, list[int]] = {}
    for row, key in enumerate(there):
        rows.setdefault(key, []).append(row)
    for row, key in enumerate(here):
        if 0 <= place[row] < len(there) and there[place[row]] == key:
            continue
        for other in sorted(rows.get(key, ()), key=lambda other: abs(other - int(place[row]))):
            next_here, next_there = here[row + 1 : row + _CONFIRMED], there[other + 1 : other + _CONFIRMED]
            if next_here and next_here == next_there[: len(next_here)]:
                place[row:] += other - int(place[row])
                break
    return np.asarray(place, dtype=np.int64)


def _keys(words: Etx) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(words)]
