"""Small convolutional networks that approximate the earth mover's distance of two charge maps, as training losses.

Whatever the weights, such a loss shares the basic properties of the EMD: it depends only on true - pred, is 0 if and
only if the maps are equal, is symmetric, is proportional to the difference, and lies between the smallest and the
largest distance of two cells, times the charge that moves. The network only determines where in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import Float64Array, IntArray
from models.config import AugmentConfig
from models.errors import InputError
from models.files import atomic_directory
from models.trigger_cells import N_TRIGGER_CELLS, distance_matrix
from training.data.augment import augment
from training.losses.charge_maps import Loss
from training.losses.learned_file import RESULT_FILE, SIZES, SUFFIX, Size, read, save
from training.losses.learned_pairs import make_pairs
from training.networks.catalogue import arrangement
from training.networks.model_file import check_count, fill
from training.results.emd_loss import Accuracy, LearnedLoss, LearnedLosses

# isort: split
import tensorflow as tf
import tf_keras

Tensor = Any

_RATE, _LAST_RATE = 2e-3, 0.01
_BATCH = 256
_PREDICT_BATCH = 4096
_LEAST_EMD = 0.05
"""Errors are relative to the exact EMD, but absolute below this value, in sensor-cell pitches."""
_HELD_OUT_STREAM = 1 << 20  # no epoch has this number


def build(size: Size, seed: int) -> Any:
    """Build a tf_keras model [true (n, 48), pred (n, 48)] -> EMD (n, 1) in sensor-cell pitches."""
    layers = tf_keras.layers
    true, pred = (layers.Input((N_TRIGGER_CELLS,), name=name) for name in ("true", "pred"))
    difference = tf.subtract(true, pred)
    moved = tf.reduce_sum(tf.abs(difference), axis=-1, keepdims=True) / 2
    direction = tf.math.divide_no_nan(difference, moved)
    places = arrangement(size.image)
    # Pixels without a cell read a 49th cell that is always empty.
    image = tf.gather(tf.pad(direction, [[0, 0], [0, 1]]), np.where(places < 0, N_TRIGGER_CELLS, places).tolist(),
                      axis=1)
    network = _network(size, places.shape, seed)
    either = (network(image) + network(-image)) / 2
    distances = distance_matrix()[~np.eye(N_TRIGGER_CELLS, dtype=bool)]
    least, greatest = float(distances.min()), float(distances.max())
    return tf_keras.Model([true, pred], moved * (least + (greatest - least) * tf.sigmoid(either)))


def _network(size: Size, shape: tuple[int, ...], seed: int) -> Any:
    layers = tf_keras.layers

    def seeded(index: int) -> Any:
        return tf_keras.initializers.GlorotUniform(seed=1000 * seed + index)

    # Swish, because a loss is needed for its gradient, and that of a ReLU jumps.
    x = image = layers.Input(shape)
    for index in range(size.layers):
        x = layers.Conv2D(size.filters, size.kernel, padding="same", activation="swish",
                          kernel_initializer=seeded(index))(x)
    x = layers.Flatten()(x)
    x = layers.Dense(size.units, activation="swish", kernel_initializer=seeded(size.layers))(x)
    return tf_keras.Model(image, layers.Dense(1, kernel_initializer=seeded(size.layers + 1))(x))


class _Member:
    """One network of the family during training."""

    def __init__(self, size: Size, seed: int, n_steps: int) -> None:
        self.size, self.seed, self.model = size, seed, build(size, seed)
        rate = tf_keras.optimizers.schedules.CosineDecay(_RATE, n_steps, alpha=_LAST_RATE)
        self._optimizer = tf_keras.optimizers.legacy.Adam(rate)
        # A step with zero gradients creates the optimiser's variables, which a traced function cannot do.
        self._optimizer.apply_gradients([(tf.zeros_like(weight), weight) for weight in self.model.trainable_weights])
        self._optimizer.iterations.assign(0)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def run_epoch(self, true: Tensor, pred: Tensor, exact: Tensor) -> None:
        """Train once on all pairs, minimising the mean square of the relative error."""
        for step in tf.range(tf.shape(true)[0] // _BATCH):
            part = slice(step * _BATCH, (step + 1) * _BATCH)
            with tf.GradientTape() as tape:
                error = self.model([true[part], pred[part]])[:, 0] - exact[part]
                loss = tf.reduce_mean(tf.square(error / tf.maximum(exact[part], _LEAST_EMD)))
            weights = self.model.trainable_weights
            self._optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))  # noqa: B905  (AutoGraph)


def train_family(
    train: IntArray, held_out: IntArray, options: AugmentConfig, output: Path, *, epochs: int, n_models: int, best: int,
    n_pairs: int, seed: int, report: Callable[[str, Mapping[str, int]], None] = lambda _name, _counts: None,
) -> LearnedLosses:
    """Train `n_models` networks and keep the `best` of them.

    train, held_out: charges (n, 48) in trigger-cell order. Every epoch uses `n_pairs` new pairs of modules augmented by
    `options`. Networks are ranked by their mean absolute error on the same pairs of `held_out`. Writes emd_loss1.npz
    (the best) to emd_lossN.npz and emd_loss.json into `output`, all or nothing. `report` is called after each epoch of
    each network.

    Examples:
        >>> from pathlib import Path
        >>> from models.config import AugmentConfig
        >>> from training import generate
        >>> from training.losses import train_family
        >>> modules = generate(300, seed=1)
        >>> found = train_family(modules[:200], modules[200:], AugmentConfig(generated=0), Path("losses"), epochs=1,
        ...                      n_models=2, best=1, n_pairs=200, seed=1)
        >>> sorted(file.name for file in Path("losses").iterdir())
        ['emd_loss.json', 'emd_loss1.npz']
    """
    tf.config.experimental.enable_op_determinism()
    n_pairs = max(n_pairs, _BATCH)
    members = [_Member(SIZES[k % len(SIZES)], seed + k // len(SIZES), epochs * (n_pairs // _BATCH))
               for k in range(n_models)]
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, epoch])
        modules = augment(train[rng.integers(len(train), size=n_pairs)], options, rng)
        true, pred, exact = make_pairs(modules, n_pairs, rng)
        order = rng.permutation(len(true))
        pairs = [tf.constant(part[order], tf.float32) for part in (true, pred, exact)]
        for member in members:
            member.run_epoch(*pairs)
            report(f"epoch {epoch + 1}", {})
    true, pred, exact = held_out_pairs(held_out, n_pairs, seed)
    found = [(accuracy(predict(member.model, true, pred), exact), member) for member in members]
    found.sort(key=lambda entry: entry[0].mean_absolute_error)
    kept = tuple(
        LearnedLoss(name=f"emd_loss{rank}", **asdict(member.size), seed=member.seed,
                    n_weights=int(member.model.count_params()), digest=digest_of(member.model), **dict(quality))
        for rank, (quality, member) in enumerate(found[:best], 1))
    result = LearnedLosses(
        seed=seed, epochs=epochs, n_pairs_per_epoch=n_pairs, n_trained=n_models, n_held_out_modules=len(held_out),
        n_held_out_pairs=len(exact), mean_emd=float(exact.mean()), models=kept)
    with atomic_directory(output) as folder:
        for one, (_, member) in zip(kept, found, strict=False):
            save(folder / f"{one.name}{SUFFIX}", member.size, member.model.get_weights())
        result.save(folder / RESULT_FILE)
    return result


def held_out_pairs(calq: IntArray, n_pairs: int, seed: int) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Pairs by which all networks of a family are ranked, from charges (n, 48) that none was trained on."""
    return make_pairs(calq, n_pairs, np.random.default_rng([seed, _HELD_OUT_STREAM]))


def predict(model: Any, true: Float64Array, pred: Float64Array) -> Float64Array:
    """Approximate EMD (n,) of pairs of maps (n, 48) with sum 1."""
    found = [np.asarray(model([true[i : i + _PREDICT_BATCH].astype(np.float32),
                               pred[i : i + _PREDICT_BATCH].astype(np.float32)]))[:, 0]
             for i in range(0, len(true), _PREDICT_BATCH)]
    return np.concatenate([np.empty(0), *found])


def accuracy(found: Float64Array, exact: Float64Array) -> Accuracy:
    """Errors of approximate EMDs (n,)."""
    error = found - exact
    return Accuracy(mean_absolute_error=float(np.abs(error).mean()), bias=float(error.mean()),
                    spread=float(error.std()), correlation=float(np.corrcoef(found, exact)[0, 1]))


def load_emd_loss(folder: Path, name: str) -> Loss:
    """Load the loss `name` from a folder written by `train_family`; its weights are frozen.

    Raises InputError if the file is missing, naming the losses in the folder, or if it is not such a network.

    Examples:
        >>> from pathlib import Path
        >>> from models.config import AugmentConfig
        >>> from training import generate
        >>> from training.losses import load_emd_loss, train_family
        >>> modules = generate(300, seed=1)
        >>> found = train_family(modules[:200], modules[200:], AugmentConfig(generated=0), Path("losses"), epochs=1,
        ...                      n_models=2, best=1, n_pairs=200, seed=1)
        >>> loss = load_emd_loss(Path("losses"), "emd_loss1")
        >>> tuple(loss(modules[:3], modules[3:6]).shape)
        (3,)
    """
    model = load_model(folder, name)
    return lambda true, pred: model([true, pred])[:, 0]


def load_model(folder: Path, name: str) -> Any:
    """Load the tf_keras model of a loss: [true (n, 48), pred (n, 48)] -> EMD (n, 1). Raises InputError."""
    path = folder / f"{name}{SUFFIX}"
    if not path.is_file():
        there = len(list(folder.glob(f"emd_loss*{SUFFIX}")))
        known = f"the folder has emd_loss1 to emd_loss{there}" if there else (
            f"expected what econ-t emd-loss --output {folder} writes")
        raise InputError(f"{path}: no such file for loss {name} (training.emd_loss_models); {known}")
    size, weights = read(path)
    model = build(size, 0)
    check_count(path, weights, model.count_params(), f"a network of {size}")
    fill(model, weights)
    model.trainable = False
    return model


def digest_of(model: Any) -> str:
    """Digest of the weights, 16 hex digits."""
    content = hashlib.sha256()
    for weight in model.get_weights():
        content.update(repr(weight.shape).encode() + np.ascontiguousarray(weight, "<f4").tobytes())
    return content.hexdigest()[:16]
