"""Audit of an encoder from elsewhere: what it sends in its own arithmetic and what is left of it on the chip.

Each way of computing its latents is decoded by a decoder of its own, trained for a short time on half of the modules,
or by a given one; the EMD is that of the other half.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator import encode
from models.arrays import FloatArray, IntArray
from models.calq_io import CalqTable
from models.config import DecoderConfig
from models.errors import InputError
from models.foreign.reference import latents
from models.keras_file import ImportedEncoder, import_encoder
from models.register_weights import load_weights
from models.spec import EncoderSpec
from models.trigger_cells import to_trigger_cells
from training.losses.find import find_loss
from training.networks.decoder import build_decoder, context, decode, load_decoder
from training.physics.emd import emd
from training.results.audit import Audit, Way

# isort: split
import tensorflow as tf
import tf_keras

STEPS = 700
"""Steps of a fresh decoder: less than a minute."""
FRESH = DecoderConfig(width=128, layers=2)
_BATCH, _RATE = 256, 2e-3
_OURS = (".npz", ".yaml", ".yml")
_UNTRAINED = "looks untrained"
_FEWEST = 20

Tensor = Any


def audit(
    file: Path, spec: EncoderSpec, modules: CalqTable, *, decoder: Path | None = None, steps: int = STEPS,
    architecture: Path | None = None,
) -> Audit:
    """Audit the encoder in a file: of Keras, a frozen graph, a SavedModel, a register file, or weights.npz.

    `decoder`: a decoder of this project; default: a fresh one per way. Raises InputError if the file holds no encoder
    that the chip can be, or if there are too few modules.
    """
    calq = modules.calq[modules.calq.any(axis=1)]
    if len(calq) < _FEWEST:
        raise InputError(f"{modules.source}: {len(calq)} modules with charge, expected at least {_FEWEST}")
    imported = _read(file, spec, architecture)
    trace = encode(imported.weights, calq, keep=["module_sum", "image_code", "latent_code"])
    known = load_decoder(decoder, spec) if decoder else None
    ways = {}
    if imported.network is not None:
        own = latents(imported.network, trace["image_code"], spec.input)
        ways["its own arithmetic"] = _carried(own, spec, least=-np.inf)
        ways["negatives cut"] = _carried(own, spec, least=0.0)
    ways["the chip's integers"] = spec.latent.value(trace["latent_code"])
    untrained = next((line for line in imported.warnings if line.startswith(_UNTRAINED)), None)
    return Audit(
        file=str(file), data=modules.source, n_modules=len(calq),
        decoder=str(decoder) if decoder else f"fresh, {steps} steps", untrained=untrained,
        differences=tuple(line for line in imported.warnings if line != untrained), notes=tuple(imported.notes),
        ways=tuple(_way(name, value, spec, calq, trace["module_sum"], known, steps) for name, value in ways.items()))


def _read(file: Path, spec: EncoderSpec, architecture: Path | None) -> ImportedEncoder:
    if file.suffix in _OURS:
        return ImportedEncoder(load_weights(file, spec), [], [f"codes of the chip, {file.suffix[1:]}"])
    return import_encoder(file, spec, architecture, approximate=True)


def _carried(own: FloatArray, spec: EncoderSpec, least: float) -> FloatArray:
    """Latents floored to the bits that the links carry, with the largest value of the format."""
    lsb = spec.latent.lsb
    carried: FloatArray = np.clip(np.floor(own / lsb) * lsb, least, spec.latent.max_code * lsb)
    return carried


def _way(  # noqa: PLR0917  (all of one way)
    name: str, value: FloatArray, spec: EncoderSpec, calq: IntArray, module_sum: IntArray, known: Any | None, steps: int
) -> Way:
    codes = np.rint(value / spec.latent.lsb).astype(np.int64)
    counts = [np.unique(one, return_counts=True)[1] / len(one) for one in codes.T]
    half = len(calq) // 2
    model = known or _fresh(value[:half], module_sum[:half], calq[:half], spec, steps)
    distance = emd(to_trigger_cells(calq[half:]), decode(model, value[half:], module_sum[half:]))
    return Way(
        name=name, negative=float((codes < 0).mean()), zero=float((codes == 0).mean()),
        saturated=float((codes == spec.latent.max_code).mean()), all_zero=float((codes == 0).all(axis=1).mean()),
        entropy=float(np.mean([-(part * np.log2(part)).sum() for part in counts])) + 0.0,
        n_codes=float(np.mean([len(part) for part in counts])), emd=float(np.nanmean(distance)))


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
