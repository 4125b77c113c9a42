"""Frames read back by the decoder: what was sent, and what is found wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.charges import charges_of_any_size
from bitexact_tests.samples.chip_settings import chip_settings, registers_of
from emulator import EconT, Frames, decode
from emulator.decoding import decode_stream
from emulator.fields import ABSENT
from emulator.links import ETX
from models.calq_io import write_calq
from models.command_line import econ_t
from models.errors import InputError
from models.register_weights import for_encoder
from models.spec import LATENT_BITS, EncoderSpec
from models.weights import EncoderWeights


def sent_and_read(s: scalar_chip.Settings, seed: int) -> tuple[Frames, dict[str, np.ndarray]]:
    """20 frames of the chip, and their columns as the decoder reads them."""
    frames = EconT(registers_of(s)).run_calq(charges_of_any_size(seed, 20))
    decoded = decode(registers_of(s), frames.etx)
    assert len(decoded) == 20
    return frames, decoded.columns


def of(algorithm: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Try a test with any settings of an algorithm and any charges."""
    return lambda test: settings(max_examples=40, deadline=None)(
        given(chip_settings(algorithm), st.integers(0, 1 << 30))(test))


@of("TS")
def test_decoder_reads_what_ts_sent(s: scalar_chip.Settings, seed: int) -> None:
    """But frames that the buffer cut or lost."""
    frames, columns = sent_and_read(s, seed)
    there = columns["bx_counter"] != ABSENT
    read = there & (columns["type"] < 0b110)
    assert (columns["type"][~read & (columns["type"] != ABSENT)] >= 0b110).all()
    assert not (read & (frames.n_lost > 0)).any()
    sent_codes = np.where(frames.trace["sent"], frames.trace["charge_code"], ABSENT)
    np.testing.assert_array_equal(columns["charge"][read], sent_codes[read])
    np.testing.assert_array_equal(columns["module_sum"][read], frames.trace["sum_code"][read])


@of("BC")
def test_decoder_reads_what_bc_sent(s: scalar_chip.Settings, seed: int) -> None:
    frames, columns = sent_and_read(s, seed)
    sent_codes = np.where(frames.trace["sent"], frames.trace["charge_code"], ABSENT)
    np.testing.assert_array_equal(columns["charge"], sent_codes)
    np.testing.assert_array_equal(columns["module_sum"], frames.trace["sum_code"])


@of("STC")
def test_decoder_reads_what_stc_sent(s: scalar_chip.Settings, seed: int) -> None:
    """The chip says nothing where there are more links than groups."""
    frames, columns = sent_and_read(s, seed)
    if "sum" not in columns:
        assert not frames.etx.any()
        return
    n_sent = columns["sum"].shape[1]
    np.testing.assert_array_equal(columns["sum"], frames.trace["sum_code"][:, :n_sent])
    if s.stc_type != 2:
        np.testing.assert_array_equal(columns["address"], frames.trace["address"][:, :n_sent])


@of("RPT")
def test_decoder_reads_the_whole_codes_that_rpt_sent(s: scalar_chip.Settings, seed: int) -> None:
    frames, columns = sent_and_read(s, seed)
    n_whole = min(48, (32 * s.n_elinks - 5) // 7)
    np.testing.assert_array_equal(columns["charge"][:, :n_whole], frames.trace["charge_code"][:, :n_whole])
    assert (columns["charge"][:, n_whole:] == ABSENT).all()


@of("AE")
def test_decoder_reads_the_bits_of_latents_that_ae_sent(s: scalar_chip.Settings, seed: int) -> None:
    frames, columns = sent_and_read(s, seed)
    sent = [k for k in range(144) if s.mask >> k & 1][: min(32 * s.n_elinks - 14, 146)]
    keep = np.array([sum(1 << k % 9 for k in sent if k // 9 == i) for i in range(16)])
    np.testing.assert_array_equal(columns["output"], frames.trace["output_code"] & keep)
    picked = [[sum((output >> k % 9 & 1) << place for place, k in enumerate(k for k in sent if k // 9 == i))
               for i, output in enumerate(row)] for row in frames.trace["output_code"].tolist()]
    np.testing.assert_array_equal(columns["latent"], picked)
    np.testing.assert_array_equal(columns["module_sum"], frames.trace["sum_code"])


@pytest.mark.parametrize("n_elinks", [2, 3, 5])
@pytest.mark.parametrize("mask", [None, sum(0b101010000 << 9 * i for i in range(16))], ids=["top bits", "every other"])
def test_latents_that_encode_and_decode_write_are_the_same(tmp_path: Path, n_elinks: int, mask: int | None) -> None:
    """`latent_i` is the code that is sent, whoever writes it; `output_i` has its bits in their places."""
    weights = EncoderWeights.random(EncoderSpec.chip(n_elinks), seed=n_elinks, density=0.3)
    registers = for_encoder(weights)
    if mask is not None:
        registers = registers.with_values({"FMTBUF_ALL.mask_ae": mask & (1 << 128) - 1,
                                           "FMTBUF_ALL.mask_ae2": mask >> 128})
    registers.save(str(tmp_path / "init.yaml"))
    calq = charges_of_any_size(3, 50)
    write_calq(tmp_path / "calq.csv", calq, "image")
    frames = EconT(registers).run_calq(calq)
    (tmp_path / "etx.csv").write_text(ETX.header() + ETX.rows(frames.etx))
    for command in (["encode", "--weights", f"{tmp_path}/init.yaml", "--input", f"{tmp_path}/calq.csv", "--order",
                     "image", "--output", f"{tmp_path}/latent.csv"],
                    ["chip", "decode", "--registers", f"{tmp_path}/init.yaml", "--input", f"{tmp_path}/etx.csv",
                     "--output", f"{tmp_path}/fields.csv"]):
        result = CliRunner().invoke(econ_t(), command)
        assert result.exit_code == 0, result.output
    encoded, decoded = pd.read_csv(tmp_path / "latent.csv"), pd.read_csv(tmp_path / "fields.csv")
    names = [f"latent_{i}" for i in range(16)]
    np.testing.assert_array_equal(encoded[names], decoded[names])
    assert encoded.to_numpy().max() < 1 << (LATENT_BITS[n_elinks] if mask is None else 3)
    keep = EncoderSpec.chip(n_elinks).ae_mask if mask is None else mask
    outputs = frames.trace["output_code"] & np.array([keep >> 9 * i & 511 for i in range(16)])
    np.testing.assert_array_equal(decoded[[f"output_{i}" for i in range(16)]], outputs)


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
