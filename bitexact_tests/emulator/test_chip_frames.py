"""Frames and buffer of all five algorithms with any settings, against the scalar chip; and back through the decoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.chip_registers import SELECT, registers_of
from emulator import Decoded, EconT, decode
from emulator.decode import decode_stream
from emulator.fields import ABSENT
from models.errors import InputError
from models.registers import Registers


@st.composite
def chip_settings(draw: st.DrawFn, algorithm: str | None = None) -> scalar_chip.Settings:
    """Any settings, with thresholds of the buffer that fill and empty it."""
    return scalar_chip.Settings(
        algorithm=algorithm or draw(st.sampled_from(sorted(SELECT))),
        n_elinks=draw(st.integers(1, 13)),
        drop_lsb=draw(st.integers(0, 7)),
        use_sum=draw(st.booleans()),
        stc_type=draw(st.integers(0, 3)),
        thresholds=[draw(st.sampled_from([0, 1, 47, 300, 5000, 1 << 20]))] * 40 + draw(
            st.lists(st.integers(0, 1 << 22), min_size=8, max_size=8)),
        sync_word=draw(st.integers(0, 0xFFFF)),
        t1=draw(st.integers(26, 120)),
        t2=draw(st.integers(0, 60)),
        t3=draw(st.integers(0, 25)),
        mask=draw(st.one_of(st.integers(0, (1 << 144) - 1), st.sampled_from([0, (1 << 144) - 1]))),
    )


def charges(seed: int, n: int) -> Any:
    """Charges of every size, many equal, some zero, some far above what a code can say."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 23, (n, 1))
    calq = rng.integers(0, 1 << 22, (n, 48)) >> (22 - rng.integers(0, bits + 1, (n, 48)))
    return np.where(rng.random((n, 48)) < rng.random((n, 1)), calq & ~rng.integers(0, 8, (n, 1)), 0)


def expected_words(s: scalar_chip.Settings, calq: Any, trace: Any, first_bx: int = 0) -> Any:
    n = len(calq)
    latents = trace["output_code"].tolist() if s.algorithm == "AE" else [[0] * 16] * n
    sums = trace["module_sum"].tolist() if s.algorithm == "AE" else [0] * n
    return np.array(list(scalar_chip.run(s, calq.tolist(), latents, sums, first_bx)))


@pytest.mark.parametrize("algorithm", sorted(SELECT))
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 1 << 30), st.integers(0, 3 * 3564))
def test_words_against_scalar_chip(algorithm: str, data: st.DataObject, seed: int, first_bx: int) -> None:
    s = data.draw(chip_settings(algorithm))
    calq = charges(seed, 40)
    frames = EconT(registers_of(s)).run_calq(calq, first_bx)
    np.testing.assert_array_equal(frames.etx, expected_words(s, calq, frames.trace, first_bx))


@pytest.mark.parametrize("algorithm", sorted(SELECT))
@pytest.mark.parametrize("n_elinks", range(1, 14))
def test_every_link_count(algorithm: str, n_elinks: int) -> None:
    calq = charges(n_elinks, 8)
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
    calq = charges(seed, sum(sizes))
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
    assert_equal(Decoded.concatenate(list(decode_stream(chip.registers, chunks, 3560))),
                 decode(chip.registers, whole.etx, 3560))


def assert_equal(found: Decoded, expected: Decoded) -> None:
    assert found.columns.keys() == expected.columns.keys()
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(found.columns[name], column, err_msg=name)
    np.testing.assert_array_equal(found.module_sum, expected.module_sum)
    if expected.calq is not None:
        np.testing.assert_array_equal(found.calq, expected.calq)


@settings(max_examples=100, deadline=None)
@given(chip_settings(), st.integers(0, 1 << 30))
def test_decoder_reads_what_was_sent(s: scalar_chip.Settings, seed: int) -> None:
    calq = charges(seed, 20)
    registers = registers_of(s)
    frames = EconT(registers).run_calq(calq)
    decoded = decode(registers, frames.etx)
    trace, columns = frames.trace, decoded.columns
    read = columns["bx_counter"] != ABSENT if "bx_counter" in columns else np.zeros(len(calq), dtype=bool)
    assert len(decoded) == len(calq)
    if s.algorithm == "TS":
        read &= columns["type"] < 0b110
        assert (columns["type"][~read & (columns["type"] != ABSENT)] >= 0b110).all()
    if s.algorithm in ("TS", "BC"):
        sent_codes = np.where(trace["sent"], trace["charge_code"], ABSENT)
        np.testing.assert_array_equal(columns["charge"][read], sent_codes[read])
        np.testing.assert_array_equal(columns["module_sum"][read], trace["sum_code"][read])
    elif s.algorithm == "STC" and read.any():
        n_sent = columns["sum"].shape[1]
        np.testing.assert_array_equal(columns["sum"], trace["sum_code"][:, :n_sent])
        if s.stc_type != 2:
            np.testing.assert_array_equal(columns["address"], trace["address"][:, :n_sent])
    elif s.algorithm == "RPT":
        n_whole = min(48, (32 * s.n_elinks - 5) // 7)
        np.testing.assert_array_equal(columns["charge"][:, :n_whole], trace["charge_code"][:, :n_whole])
        assert (columns["charge"][:, n_whole:] == ABSENT).all()
    elif s.algorithm == "AE":
        sent = [k for k in range(144) if s.mask >> k & 1][: min(32 * s.n_elinks - 14, 146)]
        keep = np.array([sum(1 << k % 9 for k in sent if k // 9 == i) for i in range(16)])
        np.testing.assert_array_equal(columns["latent"], trace["output_code"] & keep)
        np.testing.assert_array_equal(columns["module_sum"], trace["sum_code"])


def test_decoded_charges_are_close_to_what_came_in() -> None:
    calq = charges(7, 200) >> 5  # within the reach of 4E3M with three dropped bits
    for algorithm in ("TS", "BC", "RPT"):
        registers = registers_of(scalar_chip.Settings(algorithm, 13, drop_lsb=3, thresholds=[0] * 48))
        decoded = decode(registers, EconT(registers).run_calq(calq).etx)
        # Half of a step of 1/8 of the charge, or of the dropped 8 CALQ.
        assert decoded.calq is not None
        assert (np.abs(decoded.calq - calq) <= np.maximum(calq / 16 + 1, 8)).all(), algorithm


def test_decoded_group_sums_stand_at_their_cell() -> None:
    calq = np.zeros((1, 48), dtype=np.int64)
    calq[0, [5, 6, 40]] = 100, 300, 64
    for stc_type, expected in ((0, {6: 408, 40: 66}), (1, {6: 408, 40: 66}), (3, {6: 400, 40: 68})):
        registers = registers_of(scalar_chip.Settings("STC", (5, 2, 3, 4)[stc_type], stc_type=stc_type))
        decoded = decode(registers, EconT(registers).run_calq(calq).etx)
        assert decoded.calq is not None
        assert {int(k): int(decoded.calq[0, k]) for k in np.flatnonzero(decoded.calq[0])} == expected
    registers = registers_of(scalar_chip.Settings("STC", 3, stc_type=2))
    spread = decode(registers, EconT(registers).run_calq(calq).etx).calq
    assert spread is not None and spread[0, 4:8].tolist() == [100] * 4


def test_wrong_registers_are_found_by_the_counter() -> None:
    calq = charges(1, 30)
    sent = EconT(registers_of(scalar_chip.Settings("RPT", 13))).run_calq(calq).etx
    with pytest.raises(InputError, match=r"bx_counter of BX 1 is 0, expected 1; do these registers"):
        decode(registers_of(scalar_chip.Settings("BC", 13)), sent, first_bx=0)
    with pytest.raises(InputError, match="bx_counter of BX 5 is 31, expected 5"):
        decode(registers_of(scalar_chip.Settings("RPT", 13)), sent, first_bx=5)


def test_damaged_stream_is_read_up_to_the_damage() -> None:
    registers = registers_of(scalar_chip.Settings("TS", 5, thresholds=[1 << 21] * 48))
    sent = EconT(registers).run_calq(charges(1, 30)).etx
    sent[17, 0] |= 0x0700_0000 ^ 0x0200_0000  # type 101 is none
    with pytest.raises(InputError, match=r"BX 17: word .* begins no TS frame"):
        decode(registers, sent)
    parts = decode_stream(registers, [sent])
    assert len(next(parts)) == 17


@pytest.mark.parametrize("erx", [np.zeros((2, 11), int), np.zeros(12, int), np.zeros((2, 12))])
def test_wrong_shapes_are_refused(erx: Any) -> None:
    with pytest.raises(ValueError, match=r"expected integers of shape \(n, 12\)"):
        EconT(Registers.reset()).run(erx)
    with pytest.raises(ValueError, match=r"expected integers of shape \(n, 13\)"):
        decode(Registers.reset(), erx)
