"""Events per second of a training epoch, all included: augmentation, normaliser, encoder, decoder, loss, optimiser."""

from __future__ import annotations

from typing import Any

import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import dataset_of
from models.config import Config
from training.production.toy import generate


@pytest.mark.parametrize(("name", "loss"), [
    ("econ_t_5elink", "telescope"), ("econ_t_5elink", "kernel"), ("econ_t_5elink", "emd"),
    ("qkeras_5elink", "telescope"),
])
def test_epoch(benchmark: Any, name: str, loss: str) -> None:
    from training.fit.trainer import Trainer

    n_events = 16_384 if benchmark.enabled else 512
    config = Config.load(REPOSITORY / "configs" / f"{name}.yaml").override(training={
        "loss": loss, "final_fraction": 0.0, "batch_size": 512, "epochs": 1000, "augment": {"pool": n_events}})
    trainer = Trainer.from_config(config, dataset_of(config, generate(n_events + 1, seed=1), n_events))
    epochs = trainer.epochs()
    if benchmark.enabled:
        next(epochs)  # traces the graph
    benchmark.group = "train"
    benchmark.pedantic(next, args=(epochs,), rounds=5)
    assert trainer.epoch > 0
    if benchmark.stats:
        benchmark.extra_info["events_per_s"] = n_events / benchmark.stats.stats.median
