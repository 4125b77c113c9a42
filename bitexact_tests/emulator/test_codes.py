"""Floating codes of charges and sums, against a model of one number at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from emulator.codes import CHARGE, FINE_SUM, SUM, FloatCode, bit_length

EVERY_CODE = pytest.mark.parametrize("code", [CHARGE, SUM, FINE_SUM], ids=str)


def test_names() -> None:
    assert [str(code) for code in (CHARGE, SUM, FINE_SUM)] == ["4E3M", "5E3M", "5E4M"]


def test_bit_length_at_every_power_of_two() -> None:
    values = sorted({0, 1} | {(1 << k) + d for k in range(1, 52) for d in (-1, 0, 1)})
    np.testing.assert_array_equal(bit_length(np.array(values)), [value.bit_length() for value in values])


@EVERY_CODE
def test_encode_of_every_small_value_and_around_every_step(code: FloatCode) -> None:
    edges = {scalar_chip.values_of(c, code.mantissa_bits, 0)[0] + d for c in range(1 << code.bits) for d in (-1, 0, 1)}
    values = sorted({v for v in edges if v >= 0} | set(range(4096)))
    expected = [scalar_chip.encode(value, code.exponent_bits, code.mantissa_bits) for value in values]
    np.testing.assert_array_equal(code.encode(np.array(values)), expected)


@EVERY_CODE
@given(st.lists(st.integers(0, (1 << 40) - 1), min_size=1), st.integers(0, 7))
def test_encode_of_any_value(code: FloatCode, values: list[int], dropped_bits: int) -> None:
    expected = [scalar_chip.encode(v >> dropped_bits, code.exponent_bits, code.mantissa_bits) for v in values]
    np.testing.assert_array_equal(code.encode(np.array(values), dropped_bits), expected)


@EVERY_CODE
@pytest.mark.parametrize("dropped_bits", [0, 1, 3, 4])
def test_decode_is_the_middle_of_the_values_with_that_code(code: FloatCode, dropped_bits: int) -> None:
    every = np.arange(1 << code.bits)
    spans = [scalar_chip.values_of(int(c), code.mantissa_bits, dropped_bits) for c in every]
    first = np.array([span[0] for span in spans])
    n_values = np.array([span[1] for span in spans])
    np.testing.assert_array_equal(code.decode(every, dropped_bits), first + n_values // 2)
    np.testing.assert_array_equal(code.encode(first, dropped_bits), every)
    np.testing.assert_array_equal(code.encode(first + n_values - 1, dropped_bits), every)


@EVERY_CODE
def test_estimate_keeps_nothing_nothing_and_absent_absent(code: FloatCode) -> None:
    np.testing.assert_array_equal(code.estimate(np.array([-1, 0, 1]), 3), [-1, 0, 12])
