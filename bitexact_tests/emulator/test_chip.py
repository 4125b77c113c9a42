"""Frames and buffer of all five algorithms with any settings, against the scalar chip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.charges import charges_of_any_size
from bitexact_tests.samples.chip_settings import (
    SELECT,
    assert_same_decoded,
    chip_settings,
    expected_words,
    registers_of,
)
from emulator import Decoded, EconT, decode
from emulator.decoding import decode_stream
from emulator.fields import ABSENT
from models.registers import Registers


@pytest.mark.parametrize("algorithm", sorted(SELECT))
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 1 << 30), st.integers(0, 3 * 3564))
def test_words_against_scalar_chip(algorithm: str, data: st.DataObject, seed: int, first_bx: int) -> None:
    s = data.draw(chip_settings(algorithm))
    calq = charges_of_any_size(seed, 40)
    frames = EconT(registers_of(s)).run_calq(calq, first_bx)
    np.testing.assert_array_equal(frames.etx, expected_words(s, calq, frames.trace, first_bx))


@pytest.mark.parametrize("algorithm", sorted(SELECT))
@pytest.mark.parametrize("n_elinks", range(1, 14))
def test_every_link_count(algorithm: str, n_elinks: int) -> None:
    calq = charges_of_any_size(n_elinks, 8)
    for stc_type in range(4 if algorithm == "STC" else 1):
        s = scalar_chip.Settings(algorithm, n_elinks, stc_type=stc_type, thresholds=[100] * 48)
        frames = EconT(registers_of(s)).run_calq(calq, 3560)
        np.testing.assert_array_equal(frames.etx, expected_words(s, calq, frames.trace, 3560))


@pytest.mark.parametrize("n_cells", range(49))
def test_threshold_sum_with_any_number_of_cells(n_cells: int) -> None:
    s = scalar_chip.Settings("TS", 13, thresholds=[500] * 48)
    rng = np.random.default_rng(n_cells)
    calq = rng.integers(0, 500, (3, 48))
    for row in calq:
        row[rng.choice(48, n_cells, replace=False)] += 500
    registers = registers_of(s)
    frames = EconT(registers).run_calq(calq)
    np.testing.assert_array_equal(frames.etx, expected_words(s, calq, frames.trace))
    decoded = decode(registers, frames.etx)
    np.testing.assert_array_equal(decoded.columns["charge"] != ABSENT, calq >= 500)


@settings(max_examples=60, deadline=None)
@given(chip_settings(), st.integers(0, 1 << 30), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_chunks_change_nothing(s: scalar_chip.Settings, seed: int, sizes: list[int]) -> None:
    calq = charges_of_any_size(seed, sum(sizes))
    chip = EconT(registers_of(s))
    whole = chip.run_calq(calq, first_bx=3560)
    parts, bx, waiting = [], 3560, np.zeros(0, dtype=np.uint16)
    for part in np.split(calq, np.cumsum(sizes)[:-1]):
        frames = chip.run_calq(part, bx, waiting)
        parts.append(frames.etx)
        bx, waiting = frames.next_bx, frames.waiting
    np.testing.assert_array_equal(np.concatenate(parts), whole.etx)
    np.testing.assert_array_equal(waiting, whole.waiting)
    chunks = np.split(whole.etx, np.cumsum(sizes)[:-1])
    assert_same_decoded(Decoded.concatenate(list(decode_stream(chip.registers, chunks, 3560))),
                        decode(chip.registers, whole.etx, 3560))


@pytest.mark.parametrize("erx", [np.zeros((2, 11), int), np.zeros(12, int), np.zeros((2, 12))])
def test_wrong_shapes_are_refused(erx: Any) -> None:
    with pytest.raises(ValueError, match=r"expected integers of shape \(n, 12\)"):
        EconT(Registers.reset()).run(erx)
    with pytest.raises(ValueError, match=r"expected integers of shape \(n, 13\)"):
        decode(Registers.reset(), erx)
