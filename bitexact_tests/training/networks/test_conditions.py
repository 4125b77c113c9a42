"""Conditions of a decoder: their scale, where they come from, and that they reach the decoder and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.runs import small
from models.calq_io import CalqTable, write_calq
from models.config import CONDITIONS, DecoderConfig
from models.errors import InputError
from models.spec import EncoderSpec
from training.__main__ import app
from training.data.dataset import Dataset
from training.fit.run import Run
from training.fit.train import train
from training.fit.trainer import Trainer
from training.networks.conditions import COLUMNS, conditions, used_columns
from training.networks.decoder import build_decoder, context, save_decoder
from training.networks.decoding import decode, load_decoder
from training.physics.software import software_conditions
from training.production.condition_columns import condition_columns, missing_conditions
from training.production.geometry import modules
from training.production.toy import generate

pytest.importorskip("tensorflow")

SPEC = EncoderSpec.chip(5)
SUMS = np.array([1, 40, 999])
KNOWN = {"eta": np.array([1.55, -3.1, 2.0]), "waferu": np.array([-12, 3, 0]), "waferv": np.array([6, 0, 12]),
         "wafertype": np.array([0, 2, 1]), "layer": np.array([1, 47, 24])}


def test_order_and_scale_are_those_of_the_software() -> None:
    found = conditions(SUMS, KNOWN)
    np.testing.assert_allclose(found, software_conditions(SUMS, KNOWN, integer_division=False), rtol=1e-6)
    np.testing.assert_allclose(found[1], [-1, 0, 0.25, 0, 0, 1, np.log(41), 1], rtol=1e-6)
    assert set(COLUMNS) == set(CONDITIONS)
    assert used_columns(CONDITIONS) == list(range(8))
    assert used_columns(["layer", "wafertype"]) == [3, 4, 5, 7]
    assert not conditions(SUMS, {})[:, [0, 1, 2, 3, 4, 5, 7]].any()


def test_columns_of_every_production() -> None:
    row = 100
    known = pd.DataFrame({"Layer": [modules().layer[row], 1], "ModU": [modules().u[row], 13],
                          "ModV": [modules().v[row], -13], "zside": [-1, 1], "isHDM": [True, False]})
    found = condition_columns(known)
    assert missing_conditions(CONDITIONS, found) == []
    np.testing.assert_allclose(found["eta"], [-modules().eta[row].mean(), 0])
    assert list(found["wafertype"]) == [0, 1]
    given = condition_columns(known.assign(eta=[2.0, 3.0], wafertype=[2, 2], cells=[5, (1 << 48) - 1]))
    assert list(given["eta"]) == [2, 3] and list(given["wafertype"]) == [2, 2]
    assert list(np.flatnonzero(given["cells"][0])) == [0, 2] and given["cells"][1].all()
    assert missing_conditions(CONDITIONS, condition_columns(pd.DataFrame({"layer": [1]}))) == [
        "eta", "waferv", "waferu", "wafertype"]


@pytest.mark.parametrize("options", [
    {"conditions": ["layer", "eta"]}, {"conditions": ["layer"], "film": True, "layers": 2},
    {"conditions": ["wafertype", "sum"], "sees_sum": False, "members": 2},
    {"conditions": ["waferu", "waferv"], "refinements": 1, "refinement_width": 8},
    {"architecture": "cae", "conditions": list(CONDITIONS), "sees_sum": False}, {"architecture": "cae"},
    {"conditions": ["layer"], "film": True, "sees_sum": False},
])
def test_a_decoder_sees_its_conditions_alone_and_is_read_back(tmp_path: Path, options: dict[str, Any]) -> None:
    config = DecoderConfig.model_validate({"width": 8, "layers": 1} | options)
    decoder = build_decoder(SPEC, config, 3)
    rng = np.random.default_rng(1)
    decoder.set_weights([weight + rng.normal(0, 0.1, weight.shape) for weight in decoder.get_weights()])
    latent = SPEC.latent.value(np.random.default_rng(1).integers(0, 512, (3, 16)))
    plain = decode(decoder, latent, SUMS, KNOWN)
    np.testing.assert_allclose(plain.sum(axis=1), 1, rtol=1e-5)
    for name in KNOWN:
        changed = decode(decoder, latent, SUMS, KNOWN | {name: KNOWN[name][::-1].copy()})
        assert (changed != plain).any() == (name in config.conditions), name
    if not config.sees_sum:
        other = decode(decoder, latent, SUMS + 1, KNOWN)
        assert (other != plain).any() == ("sum" in config.conditions)
    if not config.refinements:
        save_decoder(decoder, config, tmp_path / "decoder.npz")
        np.testing.assert_array_equal(decode(load_decoder(tmp_path / "decoder.npz", SPEC), latent, SUMS, KNOWN), plain)


def test_a_modulated_decoder_starts_as_the_plain_one() -> None:
    plain = DecoderConfig(width=8, layers=2)
    latent = SPEC.latent.value(np.random.default_rng(1).integers(0, 512, (3, 16)))
    film = plain.evolve(conditions=["layer"], film=True)
    np.testing.assert_array_equal(decode(build_decoder(SPEC, film, 3), latent, SUMS, KNOWN),
                                  decode(build_decoder(SPEC, plain, 3), latent, SUMS))


def test_configurations_without_conditions_are_written_as_before() -> None:
    assert not {"conditions", "film", "architecture"} & set(DecoderConfig().model_dump())
    assert DecoderConfig(conditions=("eta",)).model_dump()["conditions"] == ("eta",)


@pytest.mark.parametrize(("options", "message"), [
    ({"film": True}, "film with conditions"),
    ({"architecture": "cae", "members": 2}, "architecture cae with refinements 0 and members 2"),
    ({"conditions": ["eta", "eta"]}, "expected different ones"),
    ({"conditions": ["phi"]}, "conditions.0"),
])
def test_bad_decoders(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(decoder={"width": 8, "layers": 1} | options)


def test_generated_modules_have_no_conditions() -> None:
    with pytest.raises(InputError, match="generated modules have none"):
        small(decoder={"conditions": ["layer"]})


def test_context_of_the_sum_alone_is_unchanged() -> None:
    decoder = build_decoder(SPEC, DecoderConfig(width=8, layers=1), 3)
    assert decoder.inputs[1].shape[-1] == context(SUMS).shape[1] == 2


def _told_by_layer(n: int) -> pd.DataFrame:
    """Columns of modules whose only cell with charge is told by the layer."""
    return pd.DataFrame({"layer": np.where(np.arange(n) % 2, 1, 47), "event": np.arange(n) // 5})


def test_training_uses_what_the_conditions_tell(tmp_path: Path) -> None:
    """One cell has all charge, and only the layer tells which: the latents of an encoder that is not trained do not."""
    extra = _told_by_layer(600)
    calq = np.zeros((600, 48), np.uint32)
    calq[np.arange(600), np.where(extra["layer"] > 20, 3, 44)] = 100
    write_calq(tmp_path / "calq.parquet", calq, extra=extra)

    def emd_of(name: str, **decoder: Any) -> float:
        config = small(decoder={"width": 8, "layers": 1} | decoder, augment={"generated": 0, "rotate": False, "cut": 0,
                                                                             "mix": 0}, epochs=30, bare_floor=True)
        # An encoder of zero weights sends zeros.
        config = config.override(data={"files": [str(tmp_path / "calq.parquet")]})
        trainer = Trainer.from_config(config, Dataset.from_config(config))
        for variable in trainer.encoder.trainable_weights:
            variable.assign(variable * 0)
        trainer.fit()
        return trainer.history[trainer.best_epoch - 1].val_emd

    plain = emd_of("plain")
    assert plain > 3
    assert emd_of("concatenated", conditions=["layer"]) < 0.5 * plain
    assert emd_of("modulated", conditions=["layer"], film=True) < 0.5 * plain


def test_bare_floor_trains_the_decoder_alone() -> None:
    trainer = Trainer.from_config(small(bare_floor=True, epochs=1), Dataset.from_config(small()))
    before = [variable.numpy() for variable in trainer.variables]
    trainer.fit()
    n = len(trainer.encoder.trainable_weights)
    for one, variable in zip(before[:n], trainer.variables, strict=False):
        np.testing.assert_array_equal(one, variable.numpy())
    assert any((one != variable.numpy()).any() for one, variable in zip(before[n:], trainer.variables[n:], strict=True))


def test_cells_that_do_not_exist_have_no_charge(tmp_path: Path) -> None:
    """In the training as in the decoding; augmentation puts none there either."""
    calq = generate(300, seed=5)
    calq[:, :24] = 0  # image order: rows 0..2
    there = np.ones(48, dtype=bool)
    there[np.array([28, 29, 30, 31, 0, 4, 8, 12])] = False  # trigger cells of row 0
    bits = int((1 << np.arange(48))[there].sum())
    write_calq(tmp_path / "calq.parquet", calq, extra=pd.DataFrame({"cells": np.full(300, bits)}))
    config = small(epochs=1).override(data={"files": [str(tmp_path / "calq.parquet")]})
    trainer = Trainer.from_config(config, Dataset.from_config(config))
    image, seen, true, *_ = trainer._draw(0)
    assert not true.numpy()[:, ~there].any()
    pred = trainer._predict(image, seen).numpy()
    assert not pred[:, ~there].any()
    np.testing.assert_allclose(pred.sum(axis=1), 1, rtol=1e-5)
    latent = SPEC.latent.value(np.zeros((2, 16), int))
    found = decode(trainer.decoder, latent, np.array([9, 9]), {"cells": np.stack([there, ~there])})
    assert not found[0, ~there].any() and not found[1, there].any()


def test_missing_conditions_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = small(epochs=1, decoder={"width": 8, "layers": 1, "conditions": ["layer", "eta"]},
                   augment={"generated": 0})
    train(config, tmp_path / "run")
    assert "conditions layer, eta: no such columns in" in caplog.text
    caplog.clear()
    Run(tmp_path / "run").evaluate()
    assert "conditions layer, eta: the modules have no such columns" in caplog.text


def test_trained_evaluated_and_exported(tmp_path: Path) -> None:
    """The graph of a conditional decoder sees what the training saw."""
    calq, extra = generate(400, seed=5), _told_by_layer(400).assign(eta=2.0, waferu=3, waferv=-2, wafertype=1)
    write_calq(tmp_path / "calq.parquet", calq, extra=extra)
    options = ["training.augment.generated=0", "training.decoder.conditions=[eta,layer,wafertype,sum]",
               "training.decoder.width=16", "training.augment.rotate=false"]
    command = ["train", "--config", "econ_t_5elink", "--data", str(tmp_path / "calq.parquet"), "--epochs", "1",
               "--output", str(tmp_path / "run"), *(word for one in options for word in ("--set", one))]
    assert CliRunner().invoke(app, command).exit_code == 0
    run = Run(tmp_path / "run")
    assert set(run.test.extra.columns) >= {"layer", "eta", "event"}
    found = run.evaluate()
    swapped = CalqTable(run.test.calq, run.test.extra.assign(layer=47), "")
    from training.physics.evaluation import evaluate_run

    other = evaluate_run(run.config, run.weights_file, run.decoder_file, swapped.calq, extra=swapped.extra)
    assert found.emd_mean_all != other.emd_mean_all
    exported = CliRunner().invoke(app, ["export", "--cmssw", "--run", str(tmp_path / "run")])
    assert "if the software divides waferu, waferv and layer as integers, the EMD is" in exported.output
    from training.results.software import SoftwareExport

    (check,) = SoftwareExport.load(tmp_path / "run/cmssw/software.json").checks
    assert check.n_latents_differ == 0 and abs(check.energy - 1) < 1e-4
    assert check.emd_own is not None and check.emd is not None
    assert found.emd_mean_all == pytest.approx(check.emd_own, rel=1e-6)
