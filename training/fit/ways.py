"""Latents of an encoder in one arithmetic, as the links carry them, and what a decoder makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import FloatArray, IntArray
from models.config import DecoderConfig
from models.spec import EncoderSpec
from models.trigger_cells import to_trigger_cells
from training.fit.into_range import explained
from training.losses.find import find_loss
from training.networks.decoder import build_decoder, context
from training.networks.decoding import decode
from training.physics.emd import emd
from training.results.audit import Way

# isort: split
import tensorflow as tf
import tf_keras

STEPS = 700
"""Steps of a fresh decoder: less than a minute."""
FRESH = DecoderConfig(width=128, layers=2)
_BATCH, _RATE = 256, 2e-3

Tensor = Any
KnownDecoder = Callable[[FloatArray, slice], FloatArray]
"""Fractions (m, 48) in trigger-cell order from latents (m, k) of the modules in a slice of all."""


def carried(own: FloatArray, spec: EncoderSpec, least: float) -> FloatArray:
    """Latents floored to the bits that the links carry, with the largest value of the format, and at least `least`."""
    lsb = spec.latent.lsb
    found: FloatArray = np.clip(np.floor(own / lsb) * lsb, least, spec.latent.max_code * lsb)
    return found


def way(
    name: str, value: FloatArray, spec: EncoderSpec, calq: IntArray, module_sum: IntArray, steps: int,
    *, own: FloatArray | None = None, known: KnownDecoder | None = None, n_fresh: int | None = None,
) -> Way:
    """Statistics of latents (n, k), and the EMD of the second half of the modules.

    `known`: makes fractions (m, 48) of the latents of some of the modules; default: a decoder that is trained on the
    first half. `own`: the encoder's own latents, of which these tell a part. `n_fresh`: number of first modules that
    take the place of the first half; statistics are then of the others alone.
    """
    told = slice(n_fresh or 0, None)
    codes = np.rint(value[told] / spec.latent.lsb).astype(np.int64)
    counts = [np.unique(one, return_counts=True)[1] / len(one) for one in codes.T]
    half = len(calq) // 2 if n_fresh is None else n_fresh
    if known:
        fractions = known(value[half:], slice(half, None))
    else:
        model = _fresh(value[:half], module_sum[:half], calq[:half], spec, steps)
        fractions = decode(model, value[half:], module_sum[half:])
    distance = emd(to_trigger_cells(calq[half:]), fractions)
    return Way(
        name=name, negative=float((codes < 0).mean()), zero=float((codes == 0).mean()),
        saturated=float((codes == spec.latent.max_code).mean()), all_zero=float((codes == 0).all(axis=1).mean()),
        entropy=float(np.mean([-(part * np.log2(part)).sum() for part in counts])) + 0.0,
        n_codes=float(np.mean([len(part) for part in counts])), emd=float(np.nanmean(distance)),
        explained=None if own is None else explained(own[told], value[told]))


def _fresh(value: FloatArray, module_sum: IntArray, calq: IntArray, spec: EncoderSpec, steps: int) -> Any:
    """A decoder trained on these latents."""
    decoder, loss = build_decoder(spec, FRESH, 1), find_loss("kernel", "")
    cells = to_trigger_cells(calq)
    true = tf.constant(cells / cells.sum(axis=1, keepdims=True), tf.float32)
    seen, latent = tf.constant(context(module_sum)), tf.constant(value, tf.float32)
    optimizer = tf_keras.optimizers.legacy.Adam(tf_keras.optimizers.schedules.CosineDecay(_RATE, steps), epsilon=1e-12)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(rows: Tensor) -> None:
        with tf.GradientTape() as tape:
            pred = decoder([tf.gather(latent, rows), tf.gather(seen, rows)])
            total = tf.reduce_mean(loss(tf.gather(true, rows), pred))
        gradients = tape.gradient(total, decoder.trainable_weights)
        optimizer.apply_gradients(zip(gradients, decoder.trainable_weights))  # noqa: B905  (traced by AutoGraph)

    rng = np.random.default_rng(1)
    for _ in range(steps):
        step(tf.constant(rng.integers(0, len(calq), _BATCH)))
    return decoder
