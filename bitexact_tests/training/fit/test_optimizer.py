"""Optimisers and schedules of a training, and that an interrupted one resumes with each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.samples.runs import small
from models.config import Config, TrainingConfig
from models.errors import InputError

tf = pytest.importorskip("tensorflow")

from training.fit.fingerprint import fingerprint_of  # noqa: E402
from training.fit.optimizer import optimizer_of, schedule_of  # noqa: E402
from training.fit.run import Run  # noqa: E402
from training.fit.train import train  # noqa: E402


@pytest.mark.parametrize(("schedule", "parts"), [
    ("cosine", [1, 0.5, 0.01]), ("restarts", [1, 0.962, 0.01]), ("step", [1, 0.1, 0.01]),
    ("exponential", [1, 0.1, 0.01]), ("constant", [1, 1, 1])])
def test_schedules_begin_at_the_rate_and_end_at_a_hundredth(schedule: str, parts: list[float]) -> None:
    """At the first step, in the middle, and at the last one."""
    rate = schedule_of(TrainingConfig(learning_rate=0.02, schedule=schedule), 700)  # type: ignore[arg-type]
    found = [float(rate(step) if callable(rate) else rate) / 0.02 for step in (0, 350, 699)]
    np.testing.assert_allclose(found, parts, atol=0.015)
    if schedule == "restarts":
        starts = [float(rate(step)) / 0.02 for step in (99, 100, 299, 300)]
        np.testing.assert_allclose(starts, [0.01, 1, 0.01, 1], atol=0.01)


@pytest.mark.parametrize(("optimizer", "decay", "expected"), [
    ("adam", 0.0, [1.0, 0.9]), ("adamw", 0.0, [1.0, 0.9]), ("adamw", 0.5, [0.95, 0.85]), ("lion", 0.5, [0.95, 0.85])])
def test_first_steps_are_those_of_the_rule(optimizer: str, decay: float, expected: list[float]) -> None:
    """The first step of each goes by the rate against the gradient; decay takes rate x decay of the weight."""
    training = TrainingConfig(learning_rate=0.1, schedule="constant", optimizer=optimizer,  # type: ignore[arg-type]
                              weight_decay=decay)
    variables = [tf.Variable([1.0, 1.0])]
    made = optimizer_of(training, 10, variables)
    np.testing.assert_array_equal(variables[0].numpy(), [1, 1])  # building it changes nothing
    made.apply_gradients([(tf.constant([0.0, 3.0]), variables[0])])
    np.testing.assert_allclose(variables[0].numpy(), expected, atol=1e-6)


class Interrupted(Exception):
    """What stops a training in a test."""


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "lion"])
def test_an_interrupted_training_resumes(optimizer: str, tmp_path: Path) -> None:
    config = small(epochs=3, optimizer=optimizer, weight_decay=0.01, schedule="restarts", final_fraction=0).override(
        data={"n_modules": 200})

    def stop(epoch: int, _: object) -> None:
        if epoch == 2:
            raise Interrupted

    train(config, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(config, tmp_path / "run", report=stop, checkpoint_seconds=0)
    seen: list[int] = []
    train(config, tmp_path / "run", report=lambda epoch, _: seen.append(epoch))
    assert seen == [3]
    for name in ("weights.npz", "decoder.npz", "history.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert Run(tmp_path / "run").config.training.optimizer == optimizer


def test_defaults_stay_out_of_files_and_fingerprints(tmp_path: Path) -> None:
    config = small()
    config.save(tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text()
    assert not any(f"{name}:" in text for name in ("optimizer", "weight_decay", "schedule"))
    prints = {fingerprint_of(one, "data") for one in (
        config, small(optimizer="lion"), small(optimizer="adamw"), small(schedule="step"),
        small(optimizer="lion", weight_decay=0.1))}
    assert len(prints) == 5


def test_decay_needs_an_optimizer_that_has_it() -> None:
    with pytest.raises(InputError, match=r"weight_decay 0.1 with optimizer adam: expected adamw or lion"):
        Config.load("econ_t_5elink").with_settings(["training.weight_decay=0.1"])
    with pytest.raises(InputError, match=r"training.optimizer"):
        Config.load("econ_t_5elink").with_settings(["training.optimizer=sgd"])
