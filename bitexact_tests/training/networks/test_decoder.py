"""The decoder: what it sees, its file, and several members, each trained for itself, whose mean it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.latents import latents
from bitexact_tests.samples.runs import small
from models.config import Config, DecoderConfig
from models.errors import InputError
from models.trigger_cells import to_image_order, to_trigger_cells
from training.fit.run import Run
from training.fit.train import train
from training.networks.decoder import TrainedOutputs, build_decoder, context, save_decoder
from training.networks.decoding import decode, load_decoder
from training.physics.emd import emd
from training.production.toy import generate

SPEC = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml").encoder
THREE = DecoderConfig(width=8, layers=2, members=3)
LATENT = latents(20)
MODULES = generate(20, seed=2)
SUM = MODULES.sum(axis=1)


def outputs(decoder: object) -> list[np.ndarray]:
    """Fractions of each member."""
    import tensorflow as tf

    return [out.numpy() for out in tf.nest.flatten(TrainedOutputs.of(decoder).model([LATENT, context(SUM)]))]


def test_is_the_mean_of_members_that_differ() -> None:
    decoder = build_decoder(SPEC, THREE, seed=1)
    members = outputs(decoder)
    assert len(members) == 3 and all((members[0] != other).any() for other in members[1:])
    np.testing.assert_allclose(decode(decoder, LATENT, SUM), np.mean(members, axis=0), rtol=1e-5)


def test_one_member_is_the_decoder_itself() -> None:
    decoder = build_decoder(SPEC, DecoderConfig(width=8, layers=2), seed=1)
    [alone] = outputs(decoder)
    np.testing.assert_array_equal(alone, outputs(build_decoder(SPEC, THREE, seed=1))[0])


def test_emd_of_the_mean_is_at_most_the_mean_emd() -> None:
    decoder = build_decoder(SPEC, THREE, seed=1)
    of_members = np.mean([emd(MODULES, pred, n_processes=1) for pred in outputs(decoder)], axis=0)
    assert (emd(MODULES, decode(decoder, LATENT, SUM), n_processes=1) <= of_members + 1e-6).all()


def test_survives_its_file(tmp_path: Path) -> None:
    decoder = build_decoder(SPEC, THREE, seed=1)
    save_decoder(decoder, THREE, tmp_path / "decoder.npz")
    for again, member in zip(outputs(load_decoder(tmp_path / "decoder.npz", SPEC)), outputs(decoder), strict=True):
        np.testing.assert_array_equal(again, member)


def test_half_precision_is_read_in_single_precision_and_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    decoder = build_decoder(SPEC, THREE, seed=1)
    save_decoder(decoder, THREE, tmp_path / "half.npz", half=True)
    save_decoder(decoder, THREE, tmp_path / "whole.npz")
    assert (tmp_path / "half.npz").stat().st_size < 0.6 * (tmp_path / "whole.npz").stat().st_size
    halves = load_decoder(tmp_path / "half.npz", SPEC).get_weights()
    for again, member in zip(halves, decoder.get_weights(), strict=True):
        assert again.dtype == np.float32
        np.testing.assert_array_equal(again, member.astype(np.float16))
    weights = decoder.get_weights()
    weights[0][0, 1] = 1e5
    decoder.set_weights(weights)
    with pytest.raises(InputError, match=r"large\.npz: weights\[1\] = 100000, expected at most 65504 for float16$"):
        save_decoder(decoder, THREE, tmp_path / "large.npz", half=True)
    assert not (tmp_path / "large.npz").exists()


def test_file_of_an_older_version_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "decoder.keras").write_bytes(b"PK")
    for path in (tmp_path / "decoder.npz", tmp_path / "decoder.keras"):
        with pytest.raises(InputError, match=r"decoder\.keras: a decoder of an older version, .*; train again$"):
            load_decoder(path, SPEC)


def test_file_of_other_latents_is_refused(tmp_path: Path) -> None:
    half = SPEC.evolve(dense={"outputs": 8})
    save_decoder(build_decoder(half, THREE, seed=1), THREE, tmp_path / "decoder.npz")
    load_decoder(tmp_path / "decoder.npz", half)
    with pytest.raises(InputError, match=r"decoder\.npz: decoder of 8 latents, expected 16$"):
        load_decoder(tmp_path / "decoder.npz", SPEC)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("members")
    config = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml").override(
        data={"source": "toy", "n_modules": 300},
        training={"epochs": 2, "batch_size": 32, "augment": {"pool": 100}, "decoder": THREE.model_dump()})
    train(config, folder)
    return Run(folder)


def test_every_member_learns(run: Run) -> None:
    start = build_decoder(run.config.encoder, THREE, run.config.training.seed).get_weights()
    assert all((now != before).any() for now, before in zip(run.decoder.get_weights(), start, strict=True))


def test_order_of_cells_on_the_way_to_the_decoder() -> None:
    tc = np.arange(48)[None]
    np.testing.assert_array_equal(to_trigger_cells(to_image_order(tc)), tc)
    assert to_image_order(tc)[0, 0] == 28, "the first image cell is trigger cell 28"


def test_context_is_what_the_frame_carries() -> None:
    sums = np.array([0, 1, 2, 3, 1000, 1001, 1 << 21])
    found = context(sums)
    assert found.shape == (7, 2) and np.isfinite(found).all()
    np.testing.assert_array_equal(found[4], found[5], "1000 and 1001 share a 5E4M code")
    assert (np.diff(found[1:4, 0]) > 0).all() and (np.abs(found[:, 1]) <= 0.5).all()


def test_decoder_file(tmp_path: Path) -> None:
    config = small()
    decoder = build_decoder(config.encoder, config.training.decoder, seed=1)
    save_decoder(decoder, config.training.decoder, tmp_path / "decoder.npz")
    module_sum = np.arange(20)
    expected = decode(decoder, LATENT, module_sum)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    again = load_decoder(tmp_path / "decoder.npz", config.encoder)
    np.testing.assert_array_equal(decode(again, LATENT, module_sum), expected)
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    for path, match in ((tmp_path / "bad.npz", "not readable as npz"), (tmp_path / "none", "no such file")):
        with pytest.raises(InputError, match=match):
            load_decoder(path, config.encoder)
