"""Floating codes and the sorting network, against models of one number at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from emulator.algorithms.best_choice import sort_charges, sorting_network
from emulator.codes import CHARGE, FINE_SUM, SUM, FloatCode, bit_length
from emulator.front_end import calibrate, unpack

EVERY_CODE = pytest.mark.parametrize("code", [CHARGE, SUM, FINE_SUM], ids=str)
SORTED_TIES = st.lists(st.integers(0, 6), min_size=48, max_size=48)
CHARGES = st.lists(st.integers(0, (1 << 22) - 1), min_size=48, max_size=48)


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


@given(st.one_of(SORTED_TIES, CHARGES))
def test_network_against_scalar_compare_exchange(charges: list[int]) -> None:
    ordered, cell = sort_charges(np.array([charges]))
    expected = scalar_chip.batcher_sort(charges)
    np.testing.assert_array_equal(ordered[0], [charge for charge, _ in expected])
    np.testing.assert_array_equal(cell[0], [cell for _, cell in expected])


@given(st.one_of(SORTED_TIES, CHARGES))
def test_network_sorts_and_keeps_every_cell(charges: list[int]) -> None:
    ordered, cell = sort_charges(np.array([charges]))
    np.testing.assert_array_equal(ordered[0], sorted(charges, reverse=True))
    np.testing.assert_array_equal(np.sort(cell[0]), np.arange(48))
    np.testing.assert_array_equal(np.array(charges)[cell[0]], ordered[0])


@pytest.mark.parametrize("n", range(1, 13))
def test_networks_sort_every_pattern_of_zeros_and_ones(n: int) -> None:
    # The zero-one principle: a network that sorts these sorts everything.
    patterns = np.array(list(itertools.product([0, 1], repeat=n)))
    np.testing.assert_array_equal(sort_charges(patterns)[0], np.sort(patterns, axis=1)[:, ::-1])


def test_pairs_of_a_stage_are_disjoint() -> None:
    for stage in sorting_network(48):
        assert len(np.unique(stage)) == stage.size


@given(st.data())
def test_front_end_against_scalar(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.integers(0, (1 << 32) - 1), min_size=12, max_size=12))
    mux = data.draw(st.lists(st.integers(0, 47), min_size=48, max_size=48))
    cal = data.draw(st.lists(st.integers(0, 4095), min_size=48, max_size=48))
    high_density = data.draw(st.booleans())
    found = calibrate(unpack(np.array([words], dtype=np.uint32)), np.array(mux), np.array(cal), high_density)
    np.testing.assert_array_equal(found[0], scalar_chip.front_end(words, mux, cal, high_density))


def test_largest_charge_fits_its_register() -> None:
    largest = calibrate(np.full((1, 48), 127), np.arange(48), np.full(48, 4095), True)
    assert largest.max() < 1 << 22
