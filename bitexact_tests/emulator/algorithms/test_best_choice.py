"""The sorting network of BC, against compare-exchange of one pair at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from emulator.algorithms.best_choice import sort_charges, sorting_network

SORTED_TIES = st.lists(st.integers(0, 6), min_size=48, max_size=48)

CHARGES = st.lists(st.integers(0, (1 << 22) - 1), min_size=48, max_size=48)


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
