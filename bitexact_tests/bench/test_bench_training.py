"""Events per second of a training epoch, all included: augmentation, normaliser, encoder, decoder, loss, optimiser.

What the chip's cuts cost stands beside the same products without them. The limit is what the machine's matrix products
would take for the multiply-accumulates of encoder and decoder alone.
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
from models.fixed_point import FixedPoint
from models.spec import LayerFormats
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
    ("qkeras_5elink", "telescope"), ("weights/econ_t_5elink", "kernel"), ("weights/qkeras_5elink", "kernel"),
])
def test_epoch(benchmark: Any, name: str, loss: str) -> None:
    from training.fit.trainer import Trainer
    from training.networks.decoder_file import n_macs

    n_events = 16_384 if benchmark.enabled else 512
    config = Config.load(REPOSITORY / "configs" / f"{name}.yaml").evolve(training={"stages": ()}).override(training={
        "loss": loss, "final_fraction": 0.0, "batch_size": 512, "epochs": 1000, "augment": {"pool": n_events}})
    trainer = Trainer.from_config(config, dataset_of(config, generate(n_events + 1, seed=1), n_events))
    epochs = trainer.epochs()
    if benchmark.enabled:
        next(epochs)  # traces the graph
    benchmark.group = "train"
    benchmark.pedantic(next, args=(epochs,), rounds=5)
    assert trainer.epoch > 0
    if benchmark.stats:
        limit, macs = matrix_product_rate(), cost(config.encoder).macs + n_macs(config.encoder, config.training.decoder)
        start = time.process_time()
        next(epochs)
        operations = FLOPS_PER_MAC * macs * n_events / (time.process_time() - start)
        benchmark.extra_info |= {"events_per_s": n_events / benchmark.stats.stats.median, "limit_flops": limit,
                                 "of_limit": operations / limit}


def _table_products(code: Any, weight: Any, bits: int) -> Any:
    """Sum over k of floor(code * weight / 2^bits), with what the cuts drop as a product of one-hot codes and a table.

    Only the low bits of both factors decide what is dropped, so a table has it for each of their 2^bits values.
    """
    import tensorflow as tf

    size, (terms, units) = 2.0**bits, weight.shape
    low = tf.one_hot(tf.cast(tf.math.floormod(code, size), tf.int32), int(size))
    table = tf.math.floormod(tf.range(size)[None, :, None] * tf.math.floormod(weight, size)[:, None], size)
    dropped = tf.matmul(tf.reshape(low, (-1, terms * int(size))), tf.reshape(table, (-1, units)))
    return (tf.matmul(tf.reshape(code, (-1, terms)), weight) - dropped) / size


@pytest.mark.parametrize("way", ["as trained", "one-hot and table", "without cuts"])
@pytest.mark.parametrize("part", ["conv", "dense"])
def test_floored_products(benchmark: Any, part: str, way: str) -> None:
    import tensorflow as tf

    from training.networks.chip_encoder import layer_sum

    encoder = Config.load("econ_t_5elink").encoder
    layer: LayerFormats = encoder.conv if part == "conv" else encoder.dense
    data: FixedPoint = encoder.input if part == "conv" else encoder.conv.output
    terms, units = ((encoder.conv.kernel**2, encoder.conv.filters) if part == "conv"
                    else (encoder.n_hidden, encoder.dense.outputs))
    rows = 256 * (encoder.conv.size**2 if part == "conv" else 1)
    rng = np.random.default_rng(1)
    code = tf.constant(rng.integers(data.max_code + 1, size=(rows, terms)).astype(np.float32))
    form = layer.weight
    weight = tf.constant(rng.integers(form.min_code, form.max_code + 1, (terms, units)).astype(np.float32))
    cut = data.fraction_bits + form.fraction_bits - layer.product_fraction_bits(data)
    ways = {"as trained": lambda: layer_sum(layer, data, code, weight, tf.zeros(units)),
            "one-hot and table": lambda: _table_products(code, weight, cut),
            "without cuts": lambda: tf.matmul(code, weight)}
    benchmark.group = f"{part}, 256 modules"
    found = np.asarray(benchmark(tf.function(ways[way])))
    products = np.asarray(code, np.int64)[:, :, None] * np.asarray(weight, np.int64)
    expected = products.sum(axis=1) if way == "without cuts" else (products >> cut).sum(axis=1)
    np.testing.assert_array_equal(found, expected)
