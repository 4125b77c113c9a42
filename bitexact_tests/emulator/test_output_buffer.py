"""Settings that let more words wait than the output buffer holds: what is sent, and what the decoder makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.chip_settings import assert_same_decoded, expected_words, registers_of
from emulator import Decoded, EconT, decode
from emulator.decoding import decode_stream
from emulator.fields import ABSENT


@st.composite
def overflowing(draw: st.DrawFn) -> tuple[scalar_chip.Settings, Any]:
    """TS settings under which words are lost, and charges of busy and quiet times."""
    s = scalar_chip.Settings("TS", draw(st.integers(1, 11)), thresholds=[100] * 48, t1=draw(st.integers(426, 511)),
                             t2=511, t3=0)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    times = [draw(st.integers(10, 60)), draw(st.integers(0, 260)), draw(st.integers(10, 60)), 520]
    quiet = np.arange(4) % 2 == 1
    calq = rng.integers(0, 1 << 12, (sum(times), 48)) * ~np.repeat(quiet, times)[:, None]
    return s, np.where(rng.random((sum(times), 1)) < 0.2, calq >> rng.integers(0, 12, (sum(times), 48)), calq)


@settings(max_examples=40, deadline=None)
@given(overflowing())
def test_words_that_the_buffer_lost(sent: tuple[scalar_chip.Settings, Any]) -> None:
    """The words are those of an array of 400; frames that lost some are counted, the others read within a few BX."""
    s, calq = sent
    registers = registers_of(s)
    frames = EconT(registers).run_calq(calq)
    np.testing.assert_array_equal(frames.etx, expected_words(s, calq, frames.trace))
    decoded, lost = decode(registers, frames.etx), frames.n_lost > 0
    columns = decoded.columns
    absent = columns["bx_counter"] == ABSENT
    assert decoded.n_lost == absent.sum() and decoded.calq is not None and (decoded.calq[absent] == ABSENT).all()
    shortly_after = np.convolve(lost, np.ones(5, dtype=int))[: len(lost)] > 0  # where a counter may be right by chance
    assert absent[lost].all() and shortly_after[absent].all()
    whole = ~absent & (columns["type"] < 0b110)
    sent_codes = np.where(frames.trace["sent"], frames.trace["charge_code"], ABSENT)
    np.testing.assert_array_equal(columns["charge"][whole], sent_codes[whole])
    np.testing.assert_array_equal(columns["module_sum"][whole], frames.trace["sum_code"][whole])
    assert_same_decoded(Decoded.concatenate(list(decode_stream(registers, np.array_split(frames.etx, 9)))), decoded)


@settings(max_examples=40, deadline=None)
@given(overflowing(), st.lists(st.integers(0, 700), max_size=8))
def test_chunks_lose_the_same_words(sent: tuple[scalar_chip.Settings, Any], cuts: list[int]) -> None:
    s, calq = sent
    chip = EconT(registers_of(s))
    whole = chip.run_calq(calq)
    parts, bx, waiting = [], 0, np.zeros(0, dtype=np.uint16)
    for part in np.split(calq, sorted(cuts)):
        parts.append(chip.run_calq(part, bx, waiting))
        bx, waiting = parts[-1].next_bx, parts[-1].waiting
    np.testing.assert_array_equal(np.concatenate([part.etx for part in parts]), whole.etx)
    np.testing.assert_array_equal(np.concatenate([part.n_lost for part in parts]), whole.n_lost)


@pytest.mark.parametrize(("t1", "n_lost"), [(400, 0), (401, 1)])
def test_least_t1_that_loses_words(t1: int, n_lost: int) -> None:
    """Frames of 25 words on one link: the first that is stored whole again after cut ones ends at exactly T1."""
    frames = EconT(registers_of(scalar_chip.Settings("TS", 1, t1=t1, t2=511))).run_calq(np.full((40, 48), 100))
    assert frames.n_lost.sum() == n_lost
