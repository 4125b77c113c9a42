"""Events per second of a training epoch, all included: augmentation, normaliser, encoder, decoder, loss, optimiser."""

from __future__ import annotations

from typing import Any

import pytest

from bitexact_tests.conftest import REPOSITORY
from models.config import Config
from training.data import to_trigger_cells
from training.generator import generate

N_EVENTS = 16_384


@pytest.mark.parametrize("name", ["econ_t_5elink", "qkeras_5elink"])
@pytest.mark.parametrize("loss", ["telescope", "kernel", "emd"])
def test_epoch(benchmark: Any, name: str, loss: str) -> None:
    from training.train import Trainer

    config = Config.load(REPOSITORY / "configs" / f"{name}.yaml").override(
        training={"loss": loss, "final_loss": loss, "batch_size": 512, "epochs": 1000})
    calq = to_trigger_cells(generate(N_EVENTS + 1, seed=1))
    trainer = Trainer(config, calq[:-1], calq[-1:])
    trainer.run_epoch()  # traces the graph
    benchmark.group = "train"
    benchmark.pedantic(trainer.run_epoch, rounds=5)
    if benchmark.stats:
        benchmark.extra_info["events_per_s"] = N_EVENTS / benchmark.stats.stats.median
