"""The search for options of a training: what it varies, by what it chooses, and that its best can be had again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.runs import small
from models.config import Config
from models.errors import InputError
from training.__main__ import app
from training.results.evaluation import EmdMetrics
from training.results.training_search import TrainingSearch, TriedTraining

pytest.importorskip("tensorflow")
optuna = pytest.importorskip("optuna")

from training.figures.training_search import study_curves  # noqa: E402
from training.fit.run import Run  # noqa: E402
from training.fit.train import train  # noqa: E402
from training.production.farm import FarmConfig  # noqa: E402
from training.studies import training_search as module  # noqa: E402
from training.studies.training_search import CHOICES, search_trainings, suggest, with_options  # noqa: E402

FEW = {name: values[:2] if name != "batch_size" else (32, 64) for name, values in CHOICES.items()} | {
    "decoder.width": (8, 16), "decoder.layers": (1, 2), "augment.generated": (0.0,)}


def config(**training: Any) -> Config:
    return small("econ_t_2elink", epochs=3, final_fraction=0, augment={"generated": 0}, **training).override(
        data={"n_modules": 200})


def fixed(**options: Any) -> Any:
    values = {name: choices[0] for name, choices in CHOICES.items()} | {"learning_rate": 1e-3} | options
    return optuna.trial.FixedTrial(values)


def test_every_choice_is_a_configuration_of_its_own() -> None:
    start, seen = config(), set()
    for name, values in CHOICES.items():
        for value in values:
            decay = {"weight_decay": 1e-3} if name == "optimizer" and value != "adam" else {}
            options = suggest(fixed(**{name: value}, **decay), start)
            found = with_options(start, options)
            section: Any = found.training
            for part in name.split("."):
                section = getattr(section, part)
            assert section == value and found.training.weight_decay == decay.get("weight_decay", 0)
            seen.add(repr(found.training))
    assert len(seen) == sum(len(values) - 1 for values in CHOICES.values()) + 1
    assert with_options(start, suggest(fixed(), start)).encoder == start.encoder


def test_decay_goes_with_its_optimizers_and_generated_modules_without_conditions() -> None:
    assert "weight_decay" not in suggest(fixed(), config())
    assert suggest(fixed(optimizer="lion", weight_decay=1e-4), config())["weight_decay"] == 1e-4
    placed = config(decoder={"conditions": ["eta"]})
    assert "augment.generated" not in suggest(fixed(), placed)
    assert with_options(config(optimizer="adamw", weight_decay=0.1), suggest(fixed(), config())).training.optimizer == (
        "adam")


def result() -> TrainingSearch:
    options = {"optimizer": "adam", "learning_rate": 1e-3}
    trials = tuple(TriedTraining(number=k, options=options | {"optimizer": name}, pruned=pruned, val_emd=values)
                   for k, (name, pruned, values) in enumerate([
                       ("adam", False, (2.0, 1.5)), ("lion", True, (1.0,)), ("adamw", False, (1.9, 1.2, 1.4))]))
    metrics = {name: 1 if field.annotation is int else 1.0 for name, field in EmdMetrics.model_fields.items()}
    return TrainingSearch(trials=trials, seeds={"1": 1.2}, chosen_seed=1, test=EmdMetrics(**metrics),
                          configuration="best.yaml")


def test_the_best_is_finished_and_by_its_best_epoch() -> None:
    assert [one.number for one in result().ranked] == [2, 0, 1]
    figure = study_curves(result())
    lines = figure.axes[0].lines
    assert [len(line.get_xdata()) for line in lines[:3]] == [2, 1, 3]
    assert [line.get_linestyle() for line in lines[:3]] == ["-", ":", "-"]
    assert {text.get_text() for text in figure.axes[1].get_legend().get_texts()} == {"adam", "adamw"}


def test_what_cannot_be_searched(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected no network and stages"):
        search_trainings(config(stages=[{}]), tmp_path / "x", 1)
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_search_from_the_first_to_the_configuration_that_trains_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHOICES", FEW)
    monkeypatch.setattr(module, "RATES", (1e-3, 1e-2))
    trained: list[Path] = []
    really = module.train

    def counting(chosen: Config, folder: Path, **options: Any) -> Any:
        trained.append(folder)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return really(chosen, folder, **options)

    monkeypatch.setattr(module, "train", counting)
    evaluated: list[Path] = []
    evaluate = Run.evaluate
    monkeypatch.setattr(Run, "evaluate", lambda run, *rest: (evaluated.append(run.folder), evaluate(run, *rest))[1])
    folder = tmp_path / "study"
    with pytest.raises(KeyboardInterrupt):
        search_trainings(config(), folder, 3, 2)
    config().save(tmp_path / "config.yaml")
    done = CliRunner().invoke(app, ["search", "--trainings", "--config", str(tmp_path / "config.yaml"), "--epochs", "3",
                                    "--trials", "3", "--seeds", "2", "--output", str(folder)])
    assert done.exit_code == 0, done.output
    assert trained[2] == trained[1], "what was interrupted is done again"
    found = TrainingSearch.load(folder / "trainings.json")
    assert len(found.trials) == 3 and found.trials[0].options["learning_rate"] == config().training.learning_rate
    assert found.trials[0].val_emd == tuple(float(f"{value:.6g}") for value in Run(trained[0]).history.val_emd)
    assert set(found.seeds) == {"1", "2"} and found.seeds["1"] == pytest.approx(found.ranked[0].best, rel=1e-5)
    assert found.seeds[str(found.chosen_seed)] == min(found.seeds.values())
    assert len(evaluated) == 1, "the held-out modules are looked at once"
    assert "EMD of the held-out modules" in done.output and (folder / "trainings.png").stat().st_size > 10_000
    train(Config.load(folder / "best.yaml"), tmp_path / "again")
    np.testing.assert_array_equal(Run(tmp_path / "again").weights.flat, Run(evaluated[0]).weights.flat)
    before = len(trained)
    assert search_trainings(config(), folder, 3, 2) == found
    assert len(trained) == before + 2, "the seeds, which are finished"
    with pytest.raises(InputError, match="a search with another configuration"):
        search_trainings(config(batch_size=16), folder, 3)


@pytest.mark.slow
def test_two_workers_share_a_study_that_goes_on_where_it_was(tmp_path: Path) -> None:
    """Interrupted when the first training is done; another one that was at work then goes on."""
    pytest.importorskip("distributed")
    folder, told = tmp_path / "study", list[str]()

    def stop(text: str) -> None:
        told.append(text)
        raise KeyboardInterrupt

    farm = FarmConfig(n_workers=2, memory="4GiB")
    with pytest.raises(KeyboardInterrupt):
        search_trainings(config(), folder, 4, 2, stop, farm)
    assert len(told) == 1
    states = [trial.state.name for trial in module._open(optuna, config(), folder).trials]
    assert "COMPLETE" in states, states  # whether the other worker is done too depends on the machine
    interrupted = [trial.params for trial in module._open(optuna, config(), folder).trials
                   if trial.state.name == "RUNNING" and len(trial.params) > 10]
    config().save(tmp_path / "config.yaml")
    done = CliRunner().invoke(app, ["search", "--trainings", "--config", str(tmp_path / "config.yaml"), "--epochs", "3",
                                    "--trials", "4", "--seeds", "2", "--workers", "2", "--output", str(folder)])
    assert done.exit_code == 0, done.output
    trials = [trial for trial in module._open(optuna, config(), folder).trials
              if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(trials) >= 4 and len({repr(sorted(trial.params.items())) for trial in trials}) == len(trials)
    assert all(params in [trial.params for trial in trials] for params in interrupted)
    assert any(one.datetime_start < other.datetime_start < one.datetime_complete for one in trials for other in trials)
    found = TrainingSearch.load(folder / "trainings.json")
    run = Run(tmp_path / "again")
    train(Config.load(folder / "best.yaml"), run.folder)
    first = Run(module._folder(folder, run.config))
    np.testing.assert_array_equal(run.weights.flat, first.weights.flat)
    assert first.summary.val_emd == pytest.approx(found.seeds[str(found.chosen_seed)], rel=1e-5)


def test_encoders_are_searched_in_one_process(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["search", "--config", "econ_t_2elink", "--workers", "2", "--output",
                                    str(tmp_path / "x")])
    assert done.exit_code == 2 and "--workers and --farm need --trainings" in done.output
