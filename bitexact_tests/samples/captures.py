"""Captures of the output links as a test stand records them: streams of the emulator with faults put in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.chip_settings import registers_of
from emulator import EconT
from emulator.formatter import bx_counter
from emulator.link_words import join_words
from models.chip import MAX_ELINKS, ORBIT
from models.registers import Registers

Etx = npt.NDArray[np.uint32]
ALL_ONES = np.uint32(0xFFFFFFFF)
N_SENT = 2 * ORBIT + 1500

SETTINGS: dict[str, dict[str, Any]] = {
    "AE": {"mask": (1 << 144) - 1}, "BC": {}, "STC": {"stc_type": 0}, "RPT": {"drop_lsb": 3},
    "TS": {"thresholds": [300] * 48, "t1": 100, "t2": 511, "t3": 0, "sync_word": 0x122},
}
TOP_BITS = {n: sum((1 << bits) - 1 << 9 * i + 9 - bits for i in range(16)) for n, bits in enumerate((1, 3, 5, 7), 1)}


@cache
def input_words(n: int = N_SENT) -> Etx:
    """Input words of modules with few charges, three of ten of them empty."""
    rng = np.random.default_rng(17)
    codes = rng.integers(1, 70, (n, 12, 4)) * (rng.random((n, 12, 4)) < rng.random((n, 1, 1)) ** 2)
    codes[rng.random(n) < 0.3] = 0
    return (codes << (7 * np.arange(4))).sum(axis=2).astype(np.uint32)


@cache
def sent(algorithm: str, n_elinks: int, production: bool = False) -> tuple[Registers, Etx]:
    """Settings, and the words (n, 13) that the chip sends of `input_words`; not to be written to."""
    values = {**SETTINGS[algorithm], "production": production}
    if algorithm == "AE" and n_elinks in TOP_BITS:
        values["mask"] = TOP_BITS[n_elinks]
    if algorithm == "TS" and n_elinks < 5:
        values["thresholds"] = [3000] * 48  # else the buffer never empties
    registers = registers_of(scalar_chip.Settings(algorithm, n_elinks, **values))
    etx = EconT(registers).run(input_words()).etx
    etx.flags.writeable = False
    return registers, etx


@dataclass(frozen=True)
class Capture:
    """Rows of a capture and the true number of each; `lost` rows were damaged."""

    etx: Etx
    bx: npt.NDArray[np.int64]
    lost: npt.NDArray[np.bool_]


def captured(
    etx: Etx, first: int = 1234, last: int = N_SENT, gap: tuple[int, int] = (4000, 4037), n_lost: int = 0
) -> Capture:
    """Rows from `first` on without those of the gap, some with a wrong bit in the first four bits of link 0."""
    bx = np.array([number for number in range(first, last) if not gap[0] <= number < gap[1]])
    lost, rows = np.zeros(len(bx), dtype=bool), etx[bx].copy()
    lost[np.random.default_rng(3).choice(np.arange(20, len(bx) - 20, 20), n_lost, replace=False)] = True
    rows[lost, 0] ^= np.uint32(1 << 29)
    return Capture(rows, bx, lost)


def rewired(etx: Etx, columns: tuple[int, ...], inverted: tuple[int, ...] = ()) -> Etx:
    """Link k in column columns[k], of which some are inverted; the other links in the columns that are left."""
    order = [*columns, *(column for column in range(MAX_ELINKS) if column not in columns)]
    found = np.zeros_like(etx)
    found[:, order] = etx
    found[:, list(inverted)] ^= ALL_ONES
    return found


def at_later_bit(etx: Etx, bit: int) -> Etx:
    """The same stream of bits with words that begin `bit` bits earlier in it: words of the chip begin later."""
    words = etx.astype(np.uint64)
    before = np.concatenate([np.zeros_like(words[:1]), words[:-1]])
    return (before << np.uint64(32 - bit) | words >> np.uint64(bit)).astype(np.uint32)


def idle_rows(registers: Registers, bx: npt.NDArray[np.int64]) -> Etx:
    """Rows in which all links in use are filled with the idle word."""
    word = bx_counter(bx) << 11 | registers.filling_word
    found = np.zeros((len(bx), MAX_ELINKS), dtype=np.uint32)
    found[:, : registers.n_elinks] = join_words(np.repeat(word[:, None], 2 * registers.n_elinks, axis=1))
    return found
