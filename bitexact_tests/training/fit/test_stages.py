"""Chains of trainings: each stage is the run that it would be by hand, and none is repeated."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.runs import small
from models.config import Config
from models.errors import InputError
from training.__main__ import app

pytest.importorskip("tensorflow")

from training.data.dataset import Dataset
from training.fit.fingerprint import fingerprint_of
from training.fit.run import Run
from training.fit.train import train

DECODER = {"width": 8, "layers": 1, "refinements": 1, "refinement_width": 8}
FILES = ("weights.npz", "decoder.npz", "history.json", "test.csv", "fingerprint.json")


def chain(**training: Any) -> Config:
    """Three stages, the second on other modules, the last on the EMD itself."""
    return small(decoder=DECODER, stages=[
        {"epochs": 2}, {"epochs": 1, "data": {"n_modules": 300}, "augment": {"generated": 0.2}},
        {"epochs": 1, "loss": "emd", "final_fraction": 1}], **training)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The chain, trained by one command."""
    run = Run(tmp_path_factory.mktemp("chain") / "run")
    train(chain(), run.folder)
    return run


def test_a_chain_is_what_its_stages_are_by_hand(finished: Run, tmp_path: Path) -> None:
    by_hand = [small(decoder=DECODER, epochs=2),
               small(decoder=DECODER, epochs=1, augment={"generated": 0.2, "pool": 500}).override(
                   data={"n_modules": 300}),
               small(decoder=DECODER, epochs=1, loss="emd", final_fraction=1)]
    before = None
    for number, config in enumerate(by_hand, 1):
        folder = tmp_path / str(number)
        train(config, folder, start=before)
        stage = finished if number == 3 else finished.stage(number)
        assert {name: (stage.folder / name).read_bytes() for name in FILES} == {
            name: (folder / name).read_bytes() for name in FILES}
        before = folder
    assert finished.stage(1).config == by_hand[0] and finished.stage(2).config == by_hand[1]
    assert finished.config.training.loss == "emd" and finished.config.training.epochs == 1


def test_the_configuration_of_a_finished_chain_repeats_it(finished: Run) -> None:
    seen: list[int] = []
    train(finished.config, finished.folder, report=lambda epoch, _: seen.append(epoch))
    assert not seen, "not the same chain"
    assert [stage.config.training.epochs for stage in finished.config.stages()] == [2, 1, 1]
    assert finished.config.stages()[1].config == finished.stage(2).config


def test_a_finished_chain_needs_no_earlier_stage(finished: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(finished.folder, tmp_path / "run", ignore=shutil.ignore_patterns("stages"))
    seen: list[int] = []
    assert train(chain(), folder, report=lambda epoch, _: seen.append(epoch)) == finished.summary
    assert not seen


class Interrupted(Exception):
    """What stops a training in a test."""


@pytest.mark.parametrize(("stage", "epoch", "left"), [
    (1, 1, [(1, 2), (2, 1), (3, 1)]), (2, 1, [(3, 1)]), (3, 1, [])], ids=str)
def test_an_interrupted_chain_continues_where_it_was(
    stage: int, epoch: int, left: list[tuple[int, int]], finished: Run, tmp_path: Path
) -> None:
    def seen_by(log: list[tuple[int, int]], stop: tuple[int, int] | None = None) -> dict[str, Any]:
        number = [0]

        def on_stage(current: int, n_stages: int, config: Config) -> None:
            assert n_stages == 3
            number[0] = current

        def report(done: int, _: Any) -> None:
            log.append((number[0], done))
            if log[-1] == stop:
                raise Interrupted

        return {"on_stage": on_stage, "report": report, "checkpoint_seconds": 0}

    with pytest.raises(Interrupted):
        train(chain(), tmp_path, **seen_by([], (stage, epoch)))
    again: list[tuple[int, int]] = []
    train(chain(), tmp_path, **seen_by(again))
    assert again == left
    assert (tmp_path / "decoder.npz").read_bytes() == finished.decoder_file.read_bytes()


def test_start_of_a_stage_is_the_named_run(finished: Run, tmp_path: Path) -> None:
    config = small(decoder=DECODER, epochs=1, stages=[
        {"seed": 2}, {"learning_rate": 1e-9, "start": str(finished.folder)}])
    train(config, tmp_path / "run")
    np.testing.assert_array_equal(Run(tmp_path / "run").weights.flat, finished.weights.flat)
    other = config.evolve(training={"stages": [{"seed": 2}, {"learning_rate": 1e-9}]})
    train(other, tmp_path / "other")
    assert (Run(tmp_path / "other").weights.flat != finished.weights.flat).any()


def test_start_of_the_command_line_is_that_of_the_first_stage(finished: Run, tmp_path: Path) -> None:
    config = small(decoder=DECODER, epochs=1, learning_rate=1e-9, stages=[{}, {"seed": 2}])
    train(config, tmp_path, start=finished.folder)
    assert Run(tmp_path).config.training.stages[0].start == str(finished.folder)
    assert train(Run(tmp_path).config, tmp_path, report=lambda *_: pytest.fail("trained again"))
    np.testing.assert_array_equal(Run(tmp_path).stage(1).weights.flat, finished.weights.flat)
    np.testing.assert_array_equal(Run(tmp_path).weights.flat, finished.weights.flat)


def test_a_start_that_does_not_fit_is_found_before_the_first_stage(finished: Run, tmp_path: Path) -> None:
    config = small(decoder=DECODER, epochs=1, stages=[{}, {"start": str(finished.folder)}])
    with pytest.raises(InputError, match="of other formats or shapes"):
        train(config.evolve(encoder={"conv": {"filters": 4}}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_without_stages_keeps_its_fingerprint() -> None:
    """Runs of earlier versions stay recognised: neither stages nor a digest of them stands in a fingerprint."""
    config = Config.load("econ_t_5elink").evolve(training={"decoder": {"width": 24}})
    assert fingerprint_of(config, "data") == "7bdd7dbc25fd08e8"
    assert fingerprint_of(config, "data", "0123456789abcdef") == "f07d8f1c0b61516b"
    assert "stages" not in config.model_dump()["training"]
    assert len(Dataset.from_config(small()).digest) == 16


def test_progress_names_the_stage(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    small(decoder=DECODER, epochs=1, stages=[{}, {"seed": 2}]).save(config)
    result = CliRunner().invoke(app, ["train", "--config", str(config), "--output", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert lines[0].startswith("econ_t_3elink, stage 1 of 2: epoch 1 of 1: loss")
    assert lines[1].startswith("econ_t_3elink, stage 2 of 2: epoch 1 of 1: loss")
