"""Numbers of the rows of a capture, from their counters alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.capture.numbering import UNKNOWN, Gap, follows, number_rows, orbit_codes
from emulator.fields import COUNTER, SHORT_COUNTER, Field
from models.chip import ORBIT

both = pytest.mark.parametrize("field", [COUNTER, SHORT_COUNTER], ids=["5 bits", "4 bits"])


def counters(field: Field, bx: np.ndarray) -> np.ndarray:
    return orbit_codes(field)[bx % ORBIT]


@both
@settings(max_examples=60, deadline=None)
@given(first=st.integers(0, ORBIT - 1), row=st.integers(ORBIT + 50, 2 * ORBIT),
       missing=st.integers(1, 3 * ORBIT // 4), damaged=st.lists(st.integers(0, 100), max_size=20, unique=True))
def test_damaged_rows_and_a_gap_do_not_shift_the_numbers(
    field: Field, first: int, row: int, missing: int, damaged: list[int]
) -> None:
    bx = first + np.arange(4 * ORBIT)
    bx[row:] += missing
    counter = counters(field, bx)
    wrong = np.array([25 * k + 3 for k in damaged if counter[25 * k + 3] != orbit_codes(field)[0]], dtype=np.int64)
    wrong = wrong[np.abs(wrong - row) > 20]
    counter[wrong] ^= 4
    codes = orbit_codes(field)
    hidden = codes[(bx[row - 1] + 1) % ORBIT] == codes[bx[row] % ORBIT]
    if hidden or any(not 40 <= number % ORBIT <= ORBIT - 40 for number in (bx[row - 1], bx[row])):
        return  # not shown by counters until the next orbit, or at an orbit start, where it has two readings
    found = number_rows(field, counter)
    assert found.anchored and [gap.missing for gap in found.gaps] == [missing] and found.gaps[0].row == row
    np.testing.assert_array_equal(found.bx, bx)
    assert not found.agrees[wrong].any() and found.agrees.sum() == len(bx) - len(wrong)


@both
def test_a_gap_is_exact_once_an_orbit_starts(field: Field) -> None:
    before = np.concatenate([np.arange(100, 300), np.arange(337, ORBIT + 50)])
    assert number_rows(field, counters(field, before)).gaps == (Gap(200, 37 % (1 << field.bits - 1), False),)
    between = np.concatenate([np.arange(ORBIT - 50, ORBIT + 200), np.arange(ORBIT + 237, 2 * ORBIT + 50)])
    found = number_rows(field, counters(field, between))
    assert found.gaps == (Gap(250, 37, True),)
    np.testing.assert_array_equal(found.bx, between)


@both
def test_without_an_orbit_start_numbers_are_modulo_the_counter(field: Field) -> None:
    bx = np.concatenate([np.arange(1000, 1100), np.arange(1137, 1300)])
    found = number_rows(field, counters(field, bx))
    period = 1 << field.bits - 1
    assert not found.anchored and found.agrees.all()
    assert found.gaps == (Gap(100, 37 % period, False),)
    assert found.bx[0] % period == 1000 % period and found.bx[0] <= period


def test_rows_without_a_counter_are_numbered_by_their_neighbours() -> None:
    """Even if the orbit start is one of them."""
    bx = np.arange(3000, 3000 + ORBIT)
    counter = np.where(np.arange(ORBIT) % 3 == 1, counters(COUNTER, bx), UNKNOWN)
    assert counter[bx % ORBIT == 0] == UNKNOWN
    found = number_rows(COUNTER, counter)
    assert found.anchored and not found.gaps
    np.testing.assert_array_equal(found.bx, bx)


@both
def test_a_damaged_orbit_start_is_not_a_gap(field: Field) -> None:
    bx = np.arange(3000, 4000)
    counter = counters(field, bx)
    counter[ORBIT - 3000] = 5
    found = number_rows(field, counter)
    assert found.anchored and not found.gaps and found.agrees.sum() == 999
    np.testing.assert_array_equal(found.bx, bx)


def test_rows_that_count_are_told_from_others() -> None:
    bx, rng = np.arange(3000, 4000), np.random.default_rng(1)
    for field in (COUNTER, SHORT_COUNTER):
        counter = counters(field, bx)
        assert follows(field, counter) == 1
        assert follows(field, (1 << field.bits) - 1 - counter) < 0.1, "inverted"
        assert follows(field, rng.integers(0, 1 << field.bits, 1000)) < 0.3
    assert follows(SHORT_COUNTER, counters(COUNTER, bx) >> 1) < 0.5
    assert follows(COUNTER, counters(SHORT_COUNTER, bx) << 1) < 0.1
