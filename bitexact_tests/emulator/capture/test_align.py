"""Captures with faults put in: every frame that is still whole is read, at its bunch crossing."""

from __future__ import annotations

import numpy as np
import pytest

from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.captures import (
    Etx,
    at_later_bit,
    captured,
    idle_rows,
    input_words,
    rewired,
    sent,
)
from bitexact_tests.samples.chip_settings import registers_of
from emulator import EconT, decode
from emulator.capture.align import Aligned, align
from emulator.capture.lanes import Lanes
from emulator.capture.numbering import Gap
from emulator.fields import ABSENT
from emulator.formatter import bx_counter
from models.arrays import BoolArray
from models.chip import ORBIT
from models.errors import InputError
from models.registers import Registers

N_LOST = 40
ROWS_OF_A_FRAME = 25
GAP = Gap(4000 - 1234, 37, True)
FOUND = [("AE", 1), ("AE", 2), ("AE", 5), ("BC", 1), ("BC", 2), ("BC", 3), ("BC", 5), ("STC", 2), ("RPT", 1), ("TS", 2),
         ("TS", 5), ("TS", 13)]
"""Algorithms and links of which the frames tell the order of the links."""
NOT_FOUND = [("RPT", 2), ("RPT", 5), ("STC", 4), ("STC", 5), ("BC", 7)]


def assert_read(found: Aligned, etx: Etx, sure: BoolArray | None = None) -> None:
    """Every number of every frame that was read is the one that was sent in that bunch crossing; of `sure` rows."""
    there, rows = decode(found.registers, etx), found.is_frame if sure is None else found.is_frame & sure
    for name, column in found.decoded.columns.items():
        np.testing.assert_array_equal(column[rows], there.columns[name][found.bx[rows]], name)
    absent = np.concatenate([column[~found.is_frame].ravel() for column in found.decoded.columns.values()])
    assert (absent == ABSENT).all()


def wiring(n_elinks: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Columns of the links in a new order, and two that are inverted."""
    columns = tuple(np.random.default_rng(n_elinks).permutation(13)[:n_elinks].tolist())
    return columns, tuple(sorted(columns[:: max(n_elinks - 1, 1)]))


@pytest.mark.parametrize(("algorithm", "n_elinks", "production"), [
    *((*one, False) for one in FOUND), ("AE", 2, True), ("BC", 5, True), ("TS", 5, True)])
def test_all_whole_frames_are_recovered(algorithm: str, n_elinks: int, production: bool) -> None:
    registers, etx = sent(algorithm, n_elinks, production)
    there = captured(etx, n_lost=N_LOST)
    columns, inverted = wiring(n_elinks)
    found = align(registers, rewired(there.etx, columns, inverted))
    np.testing.assert_array_equal(found.etx, there.etx[found.row], f"{found.lanes}")
    assert found.lanes.n_orders == 1
    if algorithm == "TS":  # a frame is sent in its own row and the next ones, and damage inside it is not seen
        damaged = np.convolve(there.lost, np.ones(ROWS_OF_A_FRAME))[ROWS_OF_A_FRAME - 1 :] > 0
        assert_read(found, etx, ~damaged)
        counters = found.decoded.columns["bx_counter"][found.is_frame]
        np.testing.assert_array_equal(counters, bx_counter(found.bx[found.is_frame]))
        assert [gap.missing for gap in found.numbering.gaps] == [37]
        assert found.is_frame.sum() >= len(there.bx) - 3 * N_LOST
        return
    assert_read(found, etx)
    np.testing.assert_array_equal(found.bx, there.bx)
    assert found.numbering.gaps == (GAP,) and found.numbering.anchored
    np.testing.assert_array_equal(found.is_frame, ~there.lost)
    assert found.orbit_starts.tolist() == np.flatnonzero((there.bx % ORBIT == 0) & ~there.lost).tolist()
    assert found.n_damaged == N_LOST


@pytest.mark.parametrize(("algorithm", "n_elinks"), NOT_FOUND)
def test_an_order_that_the_frames_do_not_tell_is_asked_for(algorithm: str, n_elinks: int) -> None:
    registers, etx = sent(algorithm, n_elinks)
    columns, inverted = wiring(n_elinks)
    there = rewired(captured(etx).etx, columns, inverted)
    assert align(registers, there).lanes.n_orders != 1
    given = align(registers, there, Lanes(columns, frozenset(inverted)))
    assert_read(given, etx)
    assert given.is_frame.all()


@pytest.mark.parametrize(("algorithm", "n_elinks"), [("AE", 5), ("BC", 3), ("STC", 4), ("RPT", 5), ("RPT", 13)])
def test_idle_and_repeated_rows_are_told_from_frames(algorithm: str, n_elinks: int) -> None:
    registers, etx = sent(algorithm, n_elinks)
    there = captured(etx)
    rows = there.etx.copy()
    rows[500:540] = idle_rows(registers, there.bx[500:540])
    rows = np.insert(rows, [700, 700, 3001], rows[[699, 699, 3000]], axis=0)
    found = align(registers, rows)
    assert (int(found.is_idle.sum()), found.n_repeated, found.n_damaged) == (40, 3, 0)
    np.testing.assert_array_equal(found.bx, there.bx)
    assert_read(found, etx)
    assert found.row[[699, 700]].tolist() == [699, 702], "places in the capture count repeated rows"


@pytest.mark.parametrize(("algorithm", "n_elinks", "bit"), [("AE", 2, 1), ("AE", 2, 31), ("BC", 5, 7)])
def test_words_that_begin_at_another_bit(algorithm: str, n_elinks: int, bit: int) -> None:
    registers, etx = sent(algorithm, n_elinks)
    there = captured(etx)
    found = align(registers, rewired(at_later_bit(there.etx, bit), (1, 0, *range(2, n_elinks))))
    assert (found.lanes.bit, found.lanes.columns[:2]) == (bit, (1, 0))
    assert_read(found, etx)
    assert found.is_frame[1:].all(), "all but the first, of which a part was not captured"


def test_a_short_capture_without_an_orbit_start() -> None:
    registers, etx = sent("BC", 5)
    found = align(registers, etx[1000:1100])
    assert not found.numbering.anchored and found.is_frame.all()
    assert found.bx[0] % 8 == 1000 % 8 and found.bx[0] <= 8


def test_threshold_sum_without_idle_words() -> None:
    """The buffer never empties: the frames themselves tell the counters."""
    settings = scalar_chip.Settings("TS", 2, thresholds=[1] * 48, t1=60, t2=511, t3=0, sync_word=0x122)
    registers = registers_of(settings)
    busy = input_words()[input_words().any(axis=1)]
    etx = EconT(registers).run(busy).etx
    found = align(registers, etx[1500:4000])
    assert found.is_frame.sum() > 2450
    numbers = decode(registers, etx).columns["bx_counter"]
    np.testing.assert_array_equal(found.decoded.columns["bx_counter"][found.is_frame],
                                  numbers[found.bx[found.is_frame]])


def test_damage_inside_a_frame_of_best_choice_is_seen() -> None:
    """More cells in the map than charges, or charges above the sum."""
    registers, etx = sent("BC", 5)
    rows = captured(etx).etx.copy()
    rows[100, 0] ^= 1 << 3  # in the map
    found = align(registers, rows)
    assert not found.is_frame[100] and found.n_damaged == 1


WRONG = {
    "other algorithm": ("AE", 5, "BC", 5, "no column goes on counting bunch crossings in its first 5 bits: a counter "
                                          "of 4 bits is there, as in frames of BC and STC; do these registers belong"),
    "links that a type cannot fill": ("STC", 13, "STC", 5, "STC4 9-bit fills at most 5 links, not 13: its frames are "
                                                           "empty"),
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_of_another_capture_are_named(name: str) -> None:
    algorithm, n_elinks, other, n_sent, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        align(sent(algorithm, n_elinks)[0], captured(sent(other, n_sent)[1]).etx)


@pytest.mark.parametrize("rows", [
    np.zeros((500, 13), np.uint32), np.full((500, 13), 0xFFFFFFFF, np.uint32), np.zeros((0, 13), np.uint32),
    np.random.default_rng(1).integers(0, 1 << 32, (3, 13), np.uint32)], ids=["zeros", "ones", "nothing", "three rows"])
@pytest.mark.parametrize("algorithm", ["AE", "BC", "STC", "RPT", "TS"])
def test_what_is_no_capture_is_one_line(algorithm: str, rows: Etx) -> None:
    with pytest.raises(InputError, match=r"expected 4 or more that|(go|goes) on counting"):
        align(sent(algorithm, 5)[0], rows)


def test_noise_is_no_capture() -> None:
    noise = np.random.default_rng(2).integers(0, 1 << 32, (3000, 13), np.uint32)
    for algorithm in ("AE", "BC", "STC", "RPT", "TS"):
        registers: Registers = sent(algorithm, 5)[0]
        with pytest.raises(InputError, match="counting bunch crossings"):
            align(registers, noise)
