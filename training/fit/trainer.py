"""The training loop: encoder, decoder and optimiser over augmented batches, epoch by epoch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import IntArray
from models.config import Config, DataConfig
from models.errors import InputError, parsing
from models.files import atomic_path
from models.trigger_cells import to_image_order, to_trigger_cells
from models.weights import EncoderWeights
from training.data.augment import augment
from training.data.modules import load_modules
from training.data.selection import occupancy_weights
from training.losses.find import find_loss
from training.networks.chip_encoder import image_codes
from training.networks.decoder import build_decoder, context, members_of
from training.networks.keras_encoder import training_encoder
from training.physics.emd import emd

# isort: split
import tensorflow as tf
import tf_keras

_POOL_SEED = 1 << 40  # far from any data.seed: what augments must not be what tests

_LAST_RATE = 0.01  # the learning rate falls along a cosine to this part of its start


Tensor = Any


class Trainer:
    """Encoder, decoder and optimiser of one run, with all that an interrupted run needs to continue."""

    def __init__(self, config: Config, train: IntArray, validation: IntArray) -> None:
        """`train`, `validation`: charges (n, 48) in trigger-cell order."""
        training = config.training
        self.config, self.train = config, train
        self.encoder, self.decoder = self._build()
        self._members = members_of(self.decoder)
        self.n_steps = max(training.passes * len(train) // training.batch_size, 1)
        rate = tf_keras.optimizers.schedules.CosineDecay(
            training.learning_rate, self.n_steps * training.epochs, alpha=_LAST_RATE)
        # Losses are cubic or square in charge fractions: the usual epsilon of 1e-7 would drown their gradients.
        # The legacy class updates a variable in one kernel instead of ten: 7% of a whole epoch.
        self.optimizer = tf_keras.optimizers.legacy.Adam(rate, epsilon=1e-12)
        self.variables = self.encoder.trainable_weights + self.decoder.trainable_weights
        # A step without gradient makes its variables, which a traced function could not.
        self.optimizer.apply_gradients([(tf.zeros_like(variable), variable) for variable in self.variables])
        self.optimizer.iterations.assign(0)
        self.best = [variable.numpy() for variable in self.variables]
        self.history: dict[str, list[float]] = {"loss": [], "val_loss": [], "val_emd": []}
        self._pool = None
        if training.augment.generated:
            pool = DataConfig(source=training.augment.source, n_modules=training.augment.pool,
                              seed=_POOL_SEED + training.seed)
            self._pool = to_trigger_cells(load_modules(pool, config.encoder.n_elinks).calq)
        self._validation = validation
        self._validation_tensors = self._prepare(validation)
        self._losses = {name: find_loss(name, training.emd_loss_models)
                        for name in {training.loss, training.final_loss}}
        self._ahead = ThreadPoolExecutor(max_workers=1)  # draws the next epoch while this one trains
        self._next: Future[tuple[Tensor, ...]] | None = None
        self._epochs = {name: self._epoch_function(name) for name in self._losses}

    def _build(self) -> tuple[Any, Any]:
        config, training = self.config, self.config.training
        return training_encoder(config), build_decoder(config.encoder, training.decoder, training.seed)

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history["loss"])

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose validation rows had the least mean EMD; 0 before the first."""
        return int(np.argmin(self.history["val_emd"])) + 1 if self.epoch else 0

    @property
    def finished(self) -> bool:
        """All epochs done, or no better one for `patience` epochs."""
        training = self.config.training
        return self.epoch >= training.epochs or self.epoch - self.best_epoch >= training.patience

    def start_from(self, weights: EncoderWeights, decoder: Any | None) -> None:
        """Begin with trained weights, and with a decoder of the same shape if there is one, instead of random ones."""
        self.encoder.set_codes(weights)
        if decoder:
            self.decoder.set_weights(decoder.get_weights())

    def run_epoch(self) -> None:
        """Train on all modules, then validate. What an epoch draws depends on the seed and its number alone.

        Raises InputError if the numbers are no longer finite.
        """
        training = self.config.training
        drawn = self._next.result() if self._next else self._draw(self.epoch)
        more = self.epoch + 1 < training.epochs
        self._next = self._ahead.submit(self._draw, self.epoch + 1) if more else None
        final = self.epoch >= round((1 - training.final_fraction) * training.epochs)
        loss_name = training.final_loss if final else training.loss
        loss = float(self._epochs[loss_name](*drawn))
        pred = self._predict(*self._validation_tensors[:2])
        if not (np.isfinite(loss) and np.isfinite(pred.numpy()).all()):
            raise InputError(f"epoch {self.epoch + 1}: loss {loss:g} or its decoded charges, expected finite numbers: "
                             f"a training.learning_rate below {training.learning_rate:g}")
        val_loss = float(tf.reduce_mean(self._losses[loss_name](self._validation_tensors[2], pred)))
        val_emd = float(emd(self._validation, pred.numpy(), n_processes=1).mean())
        for name, value in (("loss", loss), ("val_loss", val_loss), ("val_emd", val_emd)):
            self.history[name].append(value)
        if self.best_epoch == self.epoch:
            self.best = [variable.numpy() for variable in self.variables]

    def _draw(self, epoch: int) -> tuple[Tensor, ...]:
        """What the function of an epoch takes: the modules of all batches, their weights and the size of a batch."""
        training = self.config.training
        rng = np.random.default_rng([training.seed, epoch])
        rows = np.concatenate([rng.permutation(len(self.train)) for _ in range(training.passes)])
        size = min(training.batch_size, len(rows))
        calq = augment(self.train[rows[: self.n_steps * size]], training.augment, rng, self._pool)
        weight = occupancy_weights(calq, training.occupancy_weight)
        return *self._prepare(calq), tf.constant(weight), tf.constant(size)

    def restore_best(self) -> None:
        """Put the variables of the best epoch into encoder and decoder."""
        for variable, value in zip(self.variables, self.best, strict=True):
            variable.assign(value)

    def save(self, path: Path, fingerprint: str) -> None:
        """Write a checkpoint."""
        arrays = {f"variable_{i}": variable.numpy() for i, variable in enumerate(self._state)}
        arrays |= {f"best_{i}": value for i, value in enumerate(self.best)}
        arrays |= {f"history_{name}": np.array(values) for name, values in self.history.items()}
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, fingerprint=np.array(fingerprint), **arrays)

    def restore(self, path: Path, fingerprint: str) -> bool:
        """Continue from a checkpoint; False if there is none of this run, or none that is whole."""
        if not path.exists():
            return False
        try:
            with parsing(path, "a checkpoint"), np.load(path, allow_pickle=False) as file:
                if str(file["fingerprint"]) != fingerprint:
                    return False
                # All is read and fits before anything changes.
                state = [_like(variable, file[f"variable_{i}"]) for i, variable in enumerate(self._state)]
                best = [_like(variable, file[f"best_{i}"]) for i, variable in enumerate(self.variables)]
                history = {name: file[f"history_{name}"].tolist() for name in self.history}
        except InputError as error:
            logging.getLogger(__name__).warning("%s; training starts again", error)
            return False
        for variable, value in zip(self._state, state, strict=True):
            variable.assign(value)
        self.best, self.history, self._next = best, history, None
        return True

    @property
    def _state(self) -> list[Any]:
        return [*self.variables, *self.optimizer.weights]

    def _prepare(self, calq: IntArray) -> tuple[Tensor, Tensor, Tensor]:
        """Charges in trigger-cell order -> image codes (n, 8, 8), context (n, 2), charge fractions (n, 48)."""
        module_sum = calq.sum(axis=1, dtype=np.int64)
        fractions = calq / np.maximum(module_sum, 1)[:, None]
        image = image_codes(self.config.encoder, to_image_order(calq))
        return tf.constant(image), tf.constant(context(module_sum)), tf.constant(fractions.astype(np.float32))

    def _decode(self, decoder: Any, latent: Tensor, seen: Tensor) -> Any:
        return decoder([latent, seen] if len(self.decoder.inputs) > 1 else latent)

    @tf.function
    def _predict(self, image: Tensor, seen: Tensor) -> Tensor:
        return self._decode(self.decoder, self.encoder(image), seen)

    def _epoch_function(self, loss_name: str) -> Callable[..., Tensor]:
        loss_of = self._losses[loss_name]

        @tf.function(reduce_retracing=True)
        def run(image: Tensor, seen: Tensor, true: Tensor, weight: Tensor, batch_size: Tensor) -> Tensor:
            """All batches of an epoch in one call: Python between the steps would cost as much as the steps."""
            total = 0.0
            n_steps = tf.shape(image)[0] // batch_size
            for step in tf.range(n_steps):
                part = slice(step * batch_size, (step + 1) * batch_size)
                with tf.GradientTape() as tape:
                    preds = tf.nest.flatten(self._decode(self._members, self.encoder(image[part]), seen[part]))
                    loss = tf.reduce_mean([weight[part] * loss_of(true[part], pred) for pred in preds])
                gradients = tape.gradient(loss, self.variables)
                self.optimizer.apply_gradients(zip(gradients, self.variables))  # noqa: B905  (traced by AutoGraph)
                total += loss
            return total / tf.cast(n_steps, tf.float32)

        return run


def _like(variable: Any, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if value.shape != tuple(variable.shape):
        raise ValueError(f"shape {value.shape}, expected {tuple(variable.shape)}")
    return value
