"""Trainings that begin with an encoder from elsewhere: brought into the chip's range, measured before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.foreign import build, conditional_decoder, freeze
from bitexact_tests.samples.runs import small
from emulator import encode
from models.config import CONDITIONS, DecoderConfig
from models.errors import InputError
from models.foreign.reference import latents
from models.keras_file import ImportedEncoder, import_encoder
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.__main__ import app
from training.fit.run import Run
from training.production.toy import generate
from training.results.start import WarmStart

pytest.importorskip("tensorflow")
pytest.importorskip("qkeras")

from training.fit import into_range as into_range_module
from training.fit import ways
from training.fit.into_range import explained, into_range
from training.fit.start import find_start
from training.fit.start_decoder import read_start_decoder
from training.fit.train import train
from training.networks.decoding import decode
from training.networks.foreign_decoder import read_decoder

SIGNED = {"hidden": "quantized_bits(8,1,alpha=1)", "latent": "quantized_bits(9,1,alpha=1)"}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "STEPS", 2)
    monkeypatch.setattr(into_range_module, "MOST_MODULES", 250)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signed") / "signed.h5"
    build(**SIGNED).save(path)
    return path


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder as the chip's, but for the cut of products."""
    path = tmp_path_factory.mktemp("chip") / "encoder.keras"
    build().save(path)
    return path


def imported(path: Path, n_elinks: int = 5) -> ImportedEncoder:
    return import_encoder(path, EncoderSpec.chip(n_elinks), approximate=True)


def test_a_signed_encoder_tells_of_its_latents_what_it_told(signed: Path) -> None:
    encoder, calq = imported(signed), generate(700, seed=3)
    assert encoder.signed == {"conv", "dense"}
    found = into_range(encoder, calq[:500])
    new = calq[500:]  # not those that it was fitted on
    own = latents(encoder.network, encode(encoder.weights, new)["image_code"], encoder.weights.spec.input)  # type: ignore[arg-type]
    before, after = (explained(own, encode(one, new)["latent_code"]) for one in (encoder.weights, found.weights))
    assert before < 0.6 and after > 0.85
    assert found.explained_before is not None and abs(found.explained_before - before) < 0.1
    assert found.filters_mirrored and found.outputs_mirrored
    assert (encode(found.weights, new)["latent_code"] == 0).mean() < 0.5 * (
        encode(encoder.weights, new)["latent_code"] == 0).mean()


def test_latents_alone_may_be_signed(tmp_path: Path) -> None:
    build(latent="quantized_bits(9,1,alpha=1)").save(tmp_path / "encoder.h5")
    encoder = imported(tmp_path / "encoder.h5")
    assert encoder.signed == {"dense"}
    found = into_range(encoder, generate(400, seed=3))
    assert found.explained is not None and found.explained > 0.9 and not found.filters_mirrored
    np.testing.assert_array_equal(found.weights.conv_kernel, encoder.weights.conv_kernel)
    np.testing.assert_array_equal(found.weights.conv_bias, encoder.weights.conv_bias)


def test_an_encoder_of_the_chip_stays_as_it_is(chip: Path) -> None:
    encoder = imported(chip)
    assert not encoder.signed
    assert into_range(encoder, generate(100, seed=3)).weights is encoder.weights


def test_explained_is_what_a_linear_map_leaves() -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(size=(4000, 3))
    assert explained(own, own @ rng.normal(size=(3, 3)) + 5) == pytest.approx(1)
    assert explained(np.column_stack([own[:, 0], np.ones(4000)]), own[:, 1:]) == pytest.approx(0, abs=0.01)
    assert explained(own + rng.normal(size=own.shape), own) == pytest.approx(0.5, abs=0.05)


def files(folder: Path, weights: EncoderWeights, chip: Path) -> dict[str, Path]:
    weights.save(folder / "weights.npz")
    for_encoder(weights).save(folder / "registers.yaml")
    return {"npz": folder / "weights.npz", "yaml": folder / "registers.yaml", "keras": chip}


@pytest.mark.parametrize("kind", ["npz", "yaml", "keras"])
def test_the_first_weights_are_those_of_the_file(kind: str, chip: Path, tmp_path: Path) -> None:
    """A rate of next to nothing leaves them as they are; links and arithmetic may differ."""
    path = files(tmp_path, imported(chip).weights, chip)[kind]
    config = small("econ_t_3elink", epochs=1, learning_rate=1e-9)
    train(config, tmp_path / "run", start=path)
    run = Run(tmp_path / "run")
    np.testing.assert_array_equal(run.weights.flat, imported(chip).weights.flat)
    assert run.config.training.stages[0].start == str(path)
    train(run.config, run.folder, report=lambda *_: pytest.fail("trained again"))
    found = WarmStart.load(run.start_file)
    assert [way.name for way in found.ways] == [
        *(["the file, its own arithmetic"] if kind == "keras" else []), "the file, codes on the chip",
        "after the training"]
    assert found.ways[-1] == found.ways[-2].model_copy(update={"name": "after the training"})


def test_a_signed_start_is_the_encoder_in_range(signed: Path, tmp_path: Path) -> None:
    config = small("econ_t_5elink", epochs=1, learning_rate=1e-9)
    config.save(tmp_path / "config.yaml")
    found = CliRunner().invoke(app, ["train", "--config", str(tmp_path / "config.yaml"), "--start", str(signed),
                                     "--output", str(tmp_path / "run")])
    assert found.exit_code == 0, found.output
    run = Run(tmp_path / "run")
    start = find_start(signed, config.encoder)
    from training.data.dataset import Dataset

    expected = into_range(start.imported, Dataset.from_config(config).train.calq)  # type: ignore[union-attr]
    np.testing.assert_array_equal(run.weights.flat, expected.weights.flat)
    result = WarmStart.load(run.start_file)
    assert [way.name for way in result.ways] == [
        "the file, its own arithmetic", "the file, codes on the chip", "in the chip's range", "after the training"]
    own, cut, best, _ = result.ways
    assert own.negative > 0.2 and cut.negative == best.negative == 0
    assert own.explained and cut.explained and best.explained and cut.explained < best.explained < own.explained
    text = " ".join(found.output.split())
    assert "signed hidden values and latents, brought into the chip's range: " in text
    assert "in the chip's range" in text and "after the training" in text
    cost = best.emd - own.emd  # type: ignore[operator]
    assert f"{own.emd:.3f} in its own arithmetic and {best.emd:.3f} in the chip's range ({cut.emd:.3f} without" in text
    assert f"it cost {cost:.3f}" in text
    validation = Dataset.from_config(config).validation.calq
    assert result.n_modules == len(validation) and f"{len(validation)} validation modules" in text
    codes = encode(best_weights := expected.weights, validation)["latent_code"]
    assert best.zero == pytest.approx((codes == 0).mean(), rel=1e-5)
    assert explained(latents(start.imported.network, encode(best_weights, validation)["image_code"],  # type: ignore
                             config.encoder.input), codes) == pytest.approx(best.explained, rel=1e-4)


def test_a_run_without_such_a_start_has_no_table(tmp_path: Path) -> None:
    config = small("econ_t_5elink", epochs=1)
    EncoderWeights.random(config.encoder, 1).save(tmp_path / "weights.npz")
    train(config, tmp_path / "run", start=tmp_path / "weights.npz")
    assert Run(tmp_path / "run").start_file.exists()
    train(config, tmp_path / "run", retrain=True)
    assert not Run(tmp_path / "run").start_file.exists()


@pytest.mark.slow
def test_the_decoder_beside_the_weights_is_taken_where_it_fits(tmp_path: Path) -> None:
    config = small("econ_t_5elink", epochs=1, learning_rate=1e-9)
    first = Run(tmp_path / "first")
    train(small("econ_t_5elink", epochs=2), first.folder)

    def started(name: str, **training: Any) -> bool:
        run = Run(tmp_path / name)
        train(config.evolve(training=training) if training else config, run.folder, start=first.weights_file)
        taken, ours = (one.decoder.get_weights()[0] for one in (first, run))
        assert WarmStart.load(run.start_file).with_decoder == (
            taken.shape == ours.shape and np.allclose(taken, ours, atol=1e-5))
        return WarmStart.load(run.start_file).with_decoder

    assert started("same")
    assert not started("other", decoder={"width": 8})
    EncoderWeights.random(config.encoder, 1).save(first.weights_file)
    assert not started("not_its_own")


@pytest.fixture(scope="module")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("decoders")
    found = {name: folder / f"{name}.{kind}" for name, kind in (("keras", "h5"), ("graph", "pb"), ("alone", "keras"))}
    conditional_decoder().save(found["keras"])
    freeze(conditional_decoder(), found["graph"])
    conditional_decoder(16).save(found["alone"])
    return found


CAE = {"architecture": "cae", "conditions": CONDITIONS, "sees_sum": False}


@pytest.mark.parametrize(("name", "options"), [
    ("keras", CAE), ("graph", CAE), ("keras", CAE | {"sees_sum": True}), ("alone", CAE), ("alone", CAE | {
        "conditions": ()})])
def test_a_decoder_from_elsewhere_computes_what_it_did(
    name: str, options: dict[str, Any], decoders: dict[str, Path]
) -> None:
    """Other inputs of ours begin with weights of 0; a linear map of the latents is undone in the first layer."""
    spec, rng = EncoderSpec.chip(5), np.random.default_rng(3)
    foreign = read_decoder(decoders[name])
    value, module_sum = rng.uniform(0, 2, (50, 16)), rng.integers(100, 9000, 50)
    places = {"eta": rng.uniform(1.5, 3, 50), "waferu": rng.integers(0, 9, 50), "waferv": rng.integers(0, 9, 50),
              "wafertype": rng.integers(0, 3, 50), "layer": rng.integers(1, 48, 50)}
    expected = foreign.fractions(value, module_sum, places)
    there = foreign.cells(value, module_sum, places).sum(axis=1) > 0.1
    assert there.sum() > 25
    chosen = DecoderConfig.model_validate(options)
    found = decode(read_start_decoder(decoders[name], spec, chosen), value, module_sum, places)
    np.testing.assert_allclose(found[there], expected[there], atol=1e-3)
    factor, shift = rng.normal(size=(16, 16)), rng.normal(size=16)
    sent = (value - shift) @ np.linalg.inv(factor)
    found = decode(read_start_decoder(decoders[name], spec, chosen, (factor, shift)), sent, module_sum, places)
    np.testing.assert_allclose(found[there], expected[there], atol=2e-3)


def test_a_signed_encoder_starts_with_its_decoder(signed: Path, decoders: dict[str, Path], tmp_path: Path) -> None:
    config = small("econ_t_5elink", epochs=1, learning_rate=1e-9, decoder=CAE, augment={"generated": 0})
    config.save(tmp_path / "config.yaml")
    words = ["train", "--config", str(tmp_path / "config.yaml"), "--output", str(tmp_path / "run"),
             "--start", str(signed), "--start-decoder", str(decoders["keras"])]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    run = Run(tmp_path / "run")
    stage = run.config.training.stages[0]
    assert (stage.start, stage.start_decoder) == (str(signed), str(decoders["keras"]))
    result = WarmStart.load(run.start_file)
    assert result.with_decoder and result.decoder == str(decoders["keras"])
    by_name = {way.name: way for way in result.ways}
    assert [name for name in by_name if name.endswith(", its decoder")] == [
        f"{name}, its decoder" for name in ("the file, its own arithmetic", "the file, codes on the chip",
                                           "in the chip's range", "after the training")]
    own, ours, after = (by_name[f"{name}, its decoder"].emd for name in (
        "the file, its own arithmetic", "in the chip's range", "after the training"))
    assert own and ours and after == pytest.approx(ours, rel=1e-3)
    train(run.config, run.folder, report=lambda *_: pytest.fail("trained again"))
    again = CliRunner().invoke(app, [*words[:-1], str(decoders["graph"])])
    assert again.exit_code == 2 and "holds a finished run, with other options" in again.output


def test_decoders_that_cannot_be_a_start(signed: Path, decoders: dict[str, Path], tmp_path: Path) -> None:
    spec, cae = EncoderSpec.chip(5), DecoderConfig.model_validate(CAE)
    import tf_keras

    model = conditional_decoder()
    odd = tf_keras.models.clone_model(model, clone_function=lambda layer: type(layer).from_config(
        layer.get_config() | ({"activation": "tanh"} if layer.name == model.layers[1].name else {})))
    odd.set_weights(model.get_weights())
    odd.save(tmp_path / "odd.h5")
    start = tf_keras.layers.Input((24,))
    tf_keras.Model(start, tf_keras.layers.Dense(64, activation="relu")(start)).save(tmp_path / "flat.h5")
    for path, options, message in (
        (decoders["keras"], DecoderConfig(), r"expected training.decoder.architecture cae and 16 latents"),
        (decoders["keras"], cae.evolve(conditions=("eta", "sum")),
         r"keras.h5: sees waferv, waferu, wafertype, layer too; expected training.decoder.conditions \[eta,wafer"),
        (tmp_path / "odd.h5", cae, r"odd.h5: arrays of the same shapes, but fractions that differ by"),
        (tmp_path / "flat.h5", cae, r"flat.h5: arrays of 64 behind the first, expected 24, 24x64, 64, 64x128, 128"),
    ):
        with pytest.raises(InputError, match=message):
            read_start_decoder(path, spec, options)
    config = small("econ_t_5elink", epochs=1)
    for start_file, message in ((None, "--start-decoder .*: expected --start, the file of its encoder"),
                                ("econ_t_5elink", "the run or set econ_t_5elink has a decoder of its own"),
                                (signed, "expected training.decoder.architecture cae")):
        with pytest.raises(InputError, match=message):
            train(config, tmp_path / "run", start=start_file, start_decoder=decoders["keras"])
    assert not (tmp_path / "run").exists()


def test_another_file_is_another_training(signed: Path, tmp_path: Path) -> None:
    spec = EncoderSpec.chip(5)
    digests = {find_start(path, spec).fingerprint for path in (signed, tmp_path / "other.h5") if path.exists()}
    build(**SIGNED, seed=8).save(tmp_path / "other.h5")
    digests.add(find_start(tmp_path / "other.h5", spec).fingerprint)
    build(latent="quantized_bits(9,1,alpha=1)").save(tmp_path / "half.h5")
    digests.add(find_start(tmp_path / "half.h5", spec).fingerprint)
    assert len(digests) == 3


def test_files_that_cannot_be_a_start(tmp_path: Path) -> None:
    config = small("econ_t_5elink", epochs=1)
    (tmp_path / "encoder.h5").write_text("no model")
    with pytest.raises(InputError, match=r"encoder.h5: not readable as HDF5"):
        train(config, tmp_path / "run", start=tmp_path / "encoder.h5")
    wide = config.encoder.evolve(conv={"filters": 4})
    EncoderWeights.random(wide, 1).save(tmp_path / "weights.npz")
    with pytest.raises(InputError, match=r"weights.npz: encoder with weights of other formats or shapes"):
        train(config, tmp_path / "run", start=tmp_path / "weights.npz")
    assert not (tmp_path / "run").exists()
