"""Frames read back by the decoder: what was sent, and what is found wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.charges import charges_of_any_size
from bitexact_tests.samples.chip_settings import chip_settings, registers_of
from emulator import EconT, decode
from emulator.decoding import decode_stream
from emulator.fields import ABSENT
from models.errors import InputError


@settings(max_examples=100, deadline=None)
@given(chip_settings(), st.integers(0, 1 << 30))
def test_decoder_reads_what_was_sent(s: scalar_chip.Settings, seed: int) -> None:
    calq = charges_of_any_size(seed, 20)
    registers = registers_of(s)
    frames = EconT(registers).run_calq(calq)
    decoded = decode(registers, frames.etx)
    trace, columns = frames.trace, decoded.columns
    read = columns["bx_counter"] != ABSENT if "bx_counter" in columns else np.zeros(len(calq), dtype=bool)
    assert len(decoded) == len(calq)
    if s.algorithm == "TS":
        read &= columns["type"] < 0b110
        assert (columns["type"][~read & (columns["type"] != ABSENT)] >= 0b110).all()
        assert not (read & (frames.n_lost > 0)).any()
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
    calq = charges_of_any_size(7, 200) >> 5  # within the reach of 4E3M with three dropped bits
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
    calq = charges_of_any_size(1, 30)
    sent = EconT(registers_of(scalar_chip.Settings("RPT", 13))).run_calq(calq).etx
    with pytest.raises(InputError, match=r"bx_counter of BX 1 is 0, expected 1; do these registers"):
        decode(registers_of(scalar_chip.Settings("BC", 13)), sent, first_bx=0)
    with pytest.raises(InputError, match="bx_counter of BX 5 is 31, expected 5"):
        decode(registers_of(scalar_chip.Settings("RPT", 13)), sent, first_bx=5)


def test_damaged_stream_is_read_up_to_the_damage() -> None:
    registers = registers_of(scalar_chip.Settings("TS", 5, thresholds=[1 << 21] * 48))
    sent = EconT(registers).run_calq(charges_of_any_size(1, 30)).etx
    sent[17, 0] |= 0x0700_0000 ^ 0x0200_0000  # type 101 is none
    with pytest.raises(InputError, match=r"BX 17: word .* begins no TS frame"):
        decode(registers, sent)
    parts = decode_stream(registers, [sent])
    assert len(next(parts)) == 17
