"""Decoders that refine: guesses go through the chip's own integers, and the encoder stays the one that was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.samples.latents import SUMS, latents
from emulator import encode
from models.config import DecoderConfig
from models.errors import InputError
from models.spec import EncoderSpec
from models.trigger_cells import N_TRIGGER_CELLS, to_image_order
from models.weights import EncoderWeights

pytest.importorskip("tensorflow")

import tensorflow as tf

from training.networks.chip_encoder import chip_encoder
from training.networks.decoder import TrainedOutputs, build_decoder, context, known_encoder, save_decoder
from training.networks.decoding import decode, load_decoder
from training.networks.refining import EARLY_WEIGHT, EncodedGuess

SPEC = EncoderSpec.chip(5)
OPTIONS = DecoderConfig(width=8, layers=2, refinements=2, refinement_width=8)
WEIGHTS = EncoderWeights.random(SPEC, 3, density=0.3)
RNG = np.random.default_rng(1)
LATENT = latents(len(SUMS))


def decoder(options: DecoderConfig = OPTIONS) -> object:
    encoder = chip_encoder(SPEC, 1)
    encoder.set_codes(WEIGHTS)
    return build_decoder(SPEC, options, 1, encoder)


def test_a_guess_that_is_the_module_has_the_latents_of_the_emulator() -> None:
    # Sums that the frame carries exactly: the guess then has the scale of the encoder's input.
    calq = RNG.multinomial(992, np.full(N_TRIGGER_CELLS, 1 / N_TRIGGER_CELLS), size=200)
    trace = encode(WEIGHTS, to_image_order(calq), keep=["latent_code", "hidden_code"])
    encoder = chip_encoder(SPEC, 1)
    encoder.set_codes(WEIGHTS)
    # Half a charge more than the floor of the normaliser needs, so that a fraction in float32 cannot fall below it.
    fractions = ((calq + 0.01) / 992).astype(np.float32)
    latent, hidden = EncodedGuess(encoder)((fractions, context(calq.sum(axis=1))))
    np.testing.assert_array_equal(latent.numpy(), SPEC.latent.value(trace["latent_code"]))
    np.testing.assert_array_equal(hidden.numpy() * 64, trace["hidden_code"])


def test_fractions_sum_to_one_and_every_guess_has_a_loss() -> None:
    outputs = TrainedOutputs.of(decoder())
    guesses = [guess.numpy() for guess in outputs.model([LATENT, context(SUMS)])]
    assert outputs.weights == (EARLY_WEIGHT, EARLY_WEIGHT, 1.0) and outputs.final == (False, False, True)
    assert len(guesses) == 3 and all(np.allclose(guess.sum(axis=1), 1, atol=1e-6) for guess in guesses)
    np.testing.assert_array_equal(guesses[-1], decode(decoder(), LATENT, SUMS))


def test_a_correction_depends_on_the_encoder() -> None:
    other = chip_encoder(SPEC, 1)
    other.set_codes(EncoderWeights.random(SPEC, 4, density=0.3))
    changed = decode(build_decoder(SPEC, OPTIONS, 1, other), LATENT, SUMS)
    assert (changed != decode(decoder(), LATENT, SUMS)).any()


def test_the_encoder_is_in_the_file(tmp_path: Path) -> None:
    one = decoder()
    save_decoder(one, OPTIONS, tmp_path / "decoder.npz")
    again = load_decoder(tmp_path / "decoder.npz", SPEC)
    np.testing.assert_array_equal(decode(again, LATENT, SUMS), decode(one, LATENT, SUMS))


def test_a_decoder_belongs_to_its_encoder(tmp_path: Path) -> None:
    path = tmp_path / "decoder.npz"
    save_decoder(decoder(), OPTIONS, path)
    known = known_encoder(load_decoder(path, SPEC, WEIGHTS))
    assert known is not None
    np.testing.assert_array_equal(known.codes().flat, WEIGHTS.flat)
    other = EncoderWeights.random(SPEC, 4, density=0.3)
    with pytest.raises(InputError, match=rf"decoder\.npz: refines with encoder {WEIGHTS.digest()}, expected "
                                         rf"{other.digest()}"):
        load_decoder(path, SPEC, other)
    plain = DecoderConfig(width=8, layers=1)
    save_decoder(build_decoder(SPEC, plain, 1), plain, path)
    assert known_encoder(load_decoder(path, SPEC, other)) is None, "one that does not refine fits any encoder"


def test_one_correction_for_all_steps_is_smaller() -> None:
    shared = decoder(OPTIONS.model_copy(update={"share": True}))
    assert shared.count_params() < decoder().count_params()


def test_the_encoder_learns_through_its_own_copy_in_the_decoder() -> None:
    encoder = chip_encoder(SPEC, 1)
    encoder.set_codes(WEIGHTS)
    whole = build_decoder(SPEC, OPTIONS, 1, encoder)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(whole([LATENT, context(SUMS)])[:, 0])
    assert all(tf.reduce_any(part != 0) for part in tape.gradient(loss, encoder.trainable_weights))


@pytest.mark.parametrize("options", [{"members": 2}, {"sees_sum": False}])
def test_refinement_needs_one_member_and_the_sum(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected one member that sees the sum"):
        DecoderConfig(refinements=1, **options)


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    save_decoder(decoder(), OPTIONS.model_copy(update={"refinements": 3}), tmp_path / "decoder.npz")
    with pytest.raises(InputError, match="weights, expected"):
        load_decoder(tmp_path / "decoder.npz", SPEC)
