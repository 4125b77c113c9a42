"""Flips of single bits in the compiled RTL, against the emulator with the same bit flipped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bitexact_tests.conftest import missing
from bitexact_tests.samples.flips import N_WEIGHT_BITS, fake_decode, flipped, some_bits
from emulator import encode
from emulator.algorithms.autoencoder import Autoencoder
from emulator.codes import FINE_SUM
from emulator.link_words import join_words
from models.errors import ToolMissing
from models.spec import EncoderSpec
from models.trigger_cells import to_trigger_cells
from models.weights import EncoderWeights
from training.physics.emd import emd
from training.production.toy import generate
from training.studies.seu import (
    Receiver,
    choose_events,
    frame_effects,
    frames_of,
    redundancy,
    rtl_upsets,
)
from training.studies.seu_rtl import FlipBench

pytestmark = pytest.mark.slow  # the chip in three copies compiles for minutes


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlipBench]:
    """The chip with redundant registers, compiled once, with random weights."""
    try:
        yield FlipBench.build(EncoderWeights.random(EncoderSpec.chip(5), 21, 0.3), tmp_path_factory.mktemp("flips"))
    except ToolMissing as error:
        missing(str(error))


@pytest.fixture(scope="module")
def receiver(chip: FlipBench) -> Receiver:
    calq = generate(60, seed=6)
    return Receiver(chip.weights, fake_decode, calq[choose_events(calq, 16)])


def pipeline_bits(chip: FlipBench, name: str) -> list[tuple[int, int]]:
    return [bit for bit in chip.bits() if chip.registers[bit[0]].name == name]


def expected_frames(receiver: Receiver, output_code: np.ndarray) -> np.ndarray:
    module_sum = encode(receiver.weights, receiver.calq)["module_sum"]
    return frames_of(receiver.weights, output_code, FINE_SUM.encode(module_sum))


def test_frames_without_flips(chip: FlipBench, receiver: Receiver) -> None:
    trace = encode(receiver.weights, receiver.calq)
    found = chip.clean(receiver.calq)
    np.testing.assert_array_equal(found[:, :-1], expected_frames(receiver, trace["output_code"]))
    np.testing.assert_array_equal(found[:, -1], 1)


def test_flipped_output_codes_and_words(chip: FlipBench, receiver: Receiver) -> None:
    trace, clean = encode(receiver.weights, receiver.calq), chip.clean(receiver.calq)
    for name in ("output_code", "kept_payload"):
        bits = pipeline_bits(chip, name)
        found = chip.pipeline_flips(receiver.calq, bits)
        for k, (_, bit) in enumerate(bits):
            outputs = trace["output_code"].copy()
            outputs[:, bit // 9] ^= 1 << bit % 9
            np.testing.assert_array_equal(found[k, :, :-1], expected_frames(receiver, outputs), err_msg=f"{name} {bit}")
    bits = pipeline_bits(chip, "words")
    found = chip.pipeline_flips(receiver.calq, bits)
    for k, (_, bit) in enumerate(bits):
        expected = clean.copy()
        expected[:, bit // 32] ^= 1 << bit % 32
        np.testing.assert_array_equal(found[k], expected, err_msg=f"words {bit}")


def test_flipped_hidden_codes(chip: FlipBench, receiver: Receiver) -> None:
    """Of pixels that see a charge; the others have bits that the dense layer takes for zero."""
    dense, hidden = receiver.spec.dense, encode(receiver.weights, receiver.calq)["hidden_code"]
    bits = [bit for bit in pipeline_bits(chip, "hidden_code") if bit[1] // 64 not in (10, 11, 14, 15)][::5]
    assert len(bits) > 100
    found = chip.pipeline_flips(receiver.calq, bits)
    kernel, bias = (array.astype(np.int64) for array in (receiver.weights.dense_kernel, receiver.weights.dense_bias))
    for k, (_, bit) in enumerate(bits):
        turned = hidden.astype(np.int64)
        turned[:, bit // 8] ^= 1 << bit % 8
        total = sum((turned[:, i, None] * kernel[i] >> 4 for i in range(128)), bias << 3)
        outputs = dense.output.requantize(np.maximum(total, 0), 8)
        np.testing.assert_array_equal(found[k, :, :-1], expected_frames(receiver, outputs), err_msg=f"hidden {bit}")


def test_a_flip_of_the_pipeline_changes_one_frame_but_those_that_count_crossings(
    chip: FlipBench, receiver: Receiver
) -> None:
    changed = chip.lasting(receiver.calq).sum(axis=1)
    names = np.array([chip.registers[number].name for number, _ in chip.bits()])
    assert len(names) == 1548
    counting = np.isin(names, ["next_bx", "marks_0", "marks_1"])
    assert changed[~counting].max() == 1
    assert set(names[changed > 1]) == {"next_bx", "marks_0", "marks_1"}
    visible = np.isin(names, ["words", "words_valid", "kept_counter", "kept_valid", "output_code"])
    np.testing.assert_array_equal(changed[visible], 1)


def test_flipped_settings_and_weights_without_redundancy(chip: FlipBench, receiver: Receiver) -> None:
    weights, calq = receiver.weights, receiver.calq
    trace = encode(weights, calq)
    stages = {"output_code": trace["output_code"], "sum_code": FINE_SUM.encode(trace["module_sum"])}
    counter = np.concatenate([[31], np.arange(1, len(calq)) % 16])
    found = chip.stored_flips(calq, range(N_WEIGHT_BITS, N_WEIGHT_BITS + 152))
    settings = [(5, receiver.spec.ae_mask ^ 1 << bit) for bit in range(144)]
    settings += [(5 ^ (1 << bit >> 4), receiver.spec.ae_mask) for bit in range(8)]
    for k, (n_elinks, mask) in enumerate(settings):
        words = Autoencoder(n_elinks, mask, weights).packets(stages, counter).words[:, :10]
        expected = np.where(np.arange(5) < n_elinks, join_words(words), 0)
        np.testing.assert_array_equal(found[k, :, :-1], expected, err_msg=f"setting bit {k}")
    bits = some_bits(20, seed=3)[::8].tolist()
    found = chip.stored_flips(calq, bits)
    for k, bit in enumerate(bits):
        outputs = encode(flipped(weights, bit), calq)["output_code"]
        np.testing.assert_array_equal(found[k, :, :-1], expected_frames(receiver, outputs), err_msg=f"weight {bit}")


def test_vote_and_scrubbing_in_the_rtl(chip: FlipBench, receiver: Receiver) -> None:
    result = redundancy(receiver, chip, 6, 260)
    assert result.n_bits == 260
    assert result.frames_changed_by_one_copy == 0
    assert result.frames_changed_by_another_copy_after_scrubbing == 0
    assert result.bits_that_change_frames_with_two_copies_wrong > 50
    assert result.frames_equal_to_emulator_with_two_copies_wrong > 6 * 240


def test_effects_of_the_rtl(chip: FlipBench, receiver: Receiver) -> None:
    bits, pipeline = rtl_upsets(receiver, chip)
    assert pipeline.n_bits == 1548 and pipeline.n_one_crossing == 1532 and pipeline.most_frames_of_these == 1
    assert [one.name for one in bits if one.effects is None] == ["formatter.next_bx", "marks_0", "marks_1"]
    by_name = {one.name: one.effects for one in bits if one.effects}
    assert sum(len(one.place) for one in bits) == 1548 + 152
    np.testing.assert_array_equal(by_name["formatter.words"].frame_changed, 1)
    sums = by_name["formatter.kept_sum_code"]
    assert (sums.sum_changed == 1).all() and not sums.latent_changed.any()
    assert (by_name["encoder.output_code"].code_difference == np.tile(1 << np.arange(9), 16)).all()


def test_effects_of_frames_equal_a_plain_loop(receiver: Receiver) -> None:
    trace = encode(receiver.weights, receiver.calq)
    sum_code = FINE_SUM.encode(trace["module_sum"])
    plain = np.pad(frames_of(receiver.weights, trace["output_code"], sum_code), ((0, 0), (0, 1)))
    rng = np.random.default_rng(4)
    frames = np.tile(plain, (3, 1, 1))
    frames[0, ::2, 2] ^= rng.integers(0, 1 << 32, len(plain[::2]))
    frames[1, :, 0] ^= 1 << 30
    found = frame_effects(receiver, plain, frames)
    for k in range(3):
        latent, sums = receiver.read(frames[k])
        maps = [fake_decode(receiver.spec.latent.value(codes), FINE_SUM.decode(total))
                for codes, total in ((latent, sums), (trace["latent_code"], sum_code))]
        distance = [emd(to_trigger_cells(receiver.calq), one) for one in maps]
        assert found.emd_change[k] == pytest.approx((distance[0] - distance[1]).mean(), abs=1e-12)
        assert found.code_difference[k] == np.abs(latent - trace["latent_code"]).sum(axis=1).mean()
    np.testing.assert_array_equal(found.frame_changed, [0.5, 1, 0])
    assert not found.sum_changed.any() and found.emd_change[1] == 0
