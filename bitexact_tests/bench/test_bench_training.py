"""Events per second of a training epoch, all included: augmentation, normaliser, encoder, decoder, loss, optimiser.

The limit is what the machine's matrix products would take for the multiply-accumulates of encoder and decoder alone.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import dataset_of
from models.config import Config
from models.cost import cost
from training.production.toy import generate

FLOPS_PER_MAC = 6
"""A multiplication and an addition in the forward pass, for the gradient of the inputs and for that of the weights."""


def matrix_product_rate(size: int = 1024, repeats: int = 20) -> float:
    """Largest measured number of operations per CPU second in products of square matrices, as TensorFlow runs them."""
    import tensorflow as tf

    matrix, seconds = tf.random.normal((size, size), seed=1), []
    for _ in range(repeats):
        start = time.process_time()
        np.asarray(tf.matmul(matrix, matrix))
        seconds.append(time.process_time() - start)
    return 2 * size**3 / min(seconds)


@pytest.mark.parametrize(("name", "loss"), [
    ("econ_t_5elink", "telescope"), ("econ_t_5elink", "kernel"), ("econ_t_5elink", "emd"),
    ("qkeras_5elink", "telescope"),
])
def test_epoch(benchmark: Any, name: str, loss: str) -> None:
    from training.fit.trainer import Trainer
    from training.networks.decoder import n_macs

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
        limit, macs = matrix_product_rate(), cost(config.encoder).macs + n_macs(trainer.decoder)
        start = time.process_time()
        next(epochs)
        operations = FLOPS_PER_MAC * macs * n_events / (time.process_time() - start)
        benchmark.extra_info |= {"events_per_s": n_events / benchmark.stats.stats.median, "limit_flops": limit,
                                 "of_limit": operations / limit}
