"""The training loop: encoder, decoder and optimiser over augmented batches, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import IntArray
from models.config import Config
from models.errors import InputError
from models.trigger_cells import to_image_order, to_trigger_cells
from training.data.augment import augment
from training.data.dataset import Dataset
from training.data.selection import occupancy_weights
from training.losses.find import find_loss
from training.networks.chip_encoder import ExactEncoder, image_codes
from training.networks.decoder import TrainedOutputs, build_decoder, context
from training.networks.keras_encoder import training_encoder
from training.physics.emd import emd

# isort: split
import tensorflow as tf
import tf_keras

_LAST_RATE = 0.01  # the learning rate falls along a cosine to this part of its start

Tensor = Any
EpochReport = Callable[[int, dict[str, float]], None]
"""Called after every epoch with its number, from 1, and the last value of each list of the history."""


class Trainer:
    """Encoder, decoder and optimiser of one training, with all that an interrupted one needs to continue.

    Example: `trainer = Trainer.from_config(config, Dataset.from_config(config))`, then `trainer.fit()`.
    """

    def __init__(self, config: Config, encoder: Any, decoder: Any, dataset: Dataset) -> None:
        """`encoder`: image codes (n, 8, 8) -> what the decoder sees of a module beside its sum. Nothing is read."""
        self.config, self.encoder, self.decoder, self.dataset = config, encoder, decoder, dataset
        self._outputs = TrainedOutputs.of(decoder)
        training, n_modules = config.training, len(dataset.split.train)
        self.n_steps = max(training.passes * n_modules // training.batch_size, 1)
        rate = tf_keras.optimizers.schedules.CosineDecay(
            training.learning_rate, self.n_steps * training.epochs, alpha=_LAST_RATE)
        # Losses are cubic or square in charge fractions: the usual epsilon of 1e-7 would drown their gradients.
        # The legacy class updates a variable in one kernel instead of ten: 7% of a whole epoch.
        self.optimizer = tf_keras.optimizers.legacy.Adam(rate, epsilon=1e-12)
        # A decoder that refines holds the encoder.
        known = {id(variable) for variable in encoder.trainable_weights}
        own = [variable for variable in decoder.trainable_weights if id(variable) not in known]
        self.variables = [*encoder.trainable_weights, *own]
        # A step without gradient makes its variables, which a traced function could not.
        self.optimizer.apply_gradients([(tf.zeros_like(variable), variable) for variable in self.variables])
        self.optimizer.iterations.assign(0)
        self.best = [variable.numpy() for variable in self.variables]
        self.history: dict[str, list[float]] = {"loss": [], "val_loss": [], "val_emd": []}
        self._functions: dict[str, Callable[..., Tensor]] = {}

    @classmethod
    def from_config(cls, config: Config, dataset: Dataset) -> Trainer:
        """A trainer of the untrained encoder and decoder of a configuration."""
        training = config.training
        encoder = training_encoder(config)
        known = encoder if isinstance(encoder, ExactEncoder) else None
        return cls(config, encoder, build_decoder(config.encoder, training.decoder, training.seed, known), dataset)

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

    @property
    def state(self) -> list[Any]:
        """All variables: those that are trained, then those of the optimiser."""
        return [*self.variables, *self.optimizer.weights]

    def fit(self, report: EpochReport | None = None) -> None:
        """Train to the end; encoder and decoder are then those of the best epoch.

        Raises InputError if the numbers are no longer finite.
        """
        for epoch in self.epochs():
            if report:
                report(epoch, {name: values[-1] for name, values in self.history.items()})
        self.restore_best()

    def epochs(self) -> Iterator[int]:
        """Train epoch by epoch and yield the number of each, from 1, after it; as `fit`, without its last step.

        What an epoch draws depends on the seed and its number alone. A thread, which ends with the iterator, draws the
        next epoch while this one trains.
        """
        with ThreadPoolExecutor(max_workers=1) as ahead:
            drawn = ahead.submit(self._draw, self.epoch)
            while not self.finished:
                batches = drawn.result()
                if self.epoch + 1 < self.config.training.epochs:
                    drawn = ahead.submit(self._draw, self.epoch + 1)
                self._run_epoch(batches)
                yield self.epoch

    def _run_epoch(self, batches: tuple[Tensor, ...]) -> None:
        """Train on all modules, then validate."""
        training = self.config.training
        final = self.epoch >= round((1 - training.final_fraction) * training.epochs)
        loss_name = training.final_loss if final else training.loss
        loss = float(self._epoch_function(loss_name)(*batches))
        image, seen, true = self._validation
        pred = self._predict(image, seen)
        if not (np.isfinite(loss) and np.isfinite(pred.numpy()).all()):
            raise InputError(f"epoch {self.epoch + 1}: loss {loss:g} or its decoded charges, expected finite numbers: "
                             f"a training.learning_rate below {training.learning_rate:g}")
        val_loss = float(tf.reduce_mean(self._losses[loss_name](true, pred)))
        val_emd = float(emd(to_trigger_cells(self.dataset.validation.calq), pred.numpy(), n_processes=1).mean())
        for name, value in (("loss", loss), ("val_loss", val_loss), ("val_emd", val_emd)):
            self.history[name].append(value)
        if self.best_epoch == self.epoch:
            self.best = [variable.numpy() for variable in self.variables]

    def _draw(self, epoch: int) -> tuple[Tensor, ...]:
        """What the function of an epoch takes: the modules of all batches, their weights and the size of a batch."""
        training = self.config.training
        rng = np.random.default_rng([training.seed, epoch])
        n_modules = len(self._train)
        rows = np.concatenate([rng.permutation(n_modules) for _ in range(training.passes)])
        size = min(training.batch_size, len(rows))
        pool = self.dataset.pool if training.augment.generated else None
        calq = augment(self._train[rows[: self.n_steps * size]], training.augment, rng, pool)
        weight = occupancy_weights(calq, training.occupancy_weight)
        return *self._prepare(calq), tf.constant(weight), tf.constant(size)

    @cached_property
    def _train(self) -> IntArray:
        return to_trigger_cells(self.dataset.train.calq)

    @cached_property
    def _validation(self) -> tuple[Tensor, Tensor, Tensor]:
        return self._prepare(to_trigger_cells(self.dataset.validation.calq))

    @cached_property
    def _losses(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        training = self.config.training
        return {name: find_loss(name, training.emd_loss_models) for name in {training.loss, training.final_loss}}

    def restore_best(self) -> None:
        """Put the variables of the best epoch into encoder and decoder."""
        for variable, value in zip(self.variables, self.best, strict=True):
            variable.assign(value)

    def _prepare(self, calq: IntArray) -> tuple[Tensor, Tensor, Tensor]:
        """Charges in trigger-cell order -> image codes (n, 8, 8), context (n, 2), charge fractions (n, 48)."""
        module_sum = calq.sum(axis=1, dtype=np.int64)
        fractions = calq / np.maximum(module_sum, 1)[:, None]
        image = image_codes(self.config.encoder, to_image_order(calq))
        return tf.constant(image), tf.constant(context(module_sum)), tf.constant(fractions.astype(np.float32))

    def _decode(self, decoder: Any, latent: Tensor, seen: Tensor) -> Any:
        return decoder([latent, seen] if len(self.decoder.inputs) > 1 else latent)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def _predict(self, image: Tensor, seen: Tensor) -> Tensor:
        return self._decode(self.decoder, self.encoder(image), seen)

    def _epoch_function(self, loss_name: str) -> Callable[..., Tensor]:
        if loss_name not in self._functions:
            self._functions[loss_name] = self._trace(loss_name)
        return self._functions[loss_name]

    def _trace(self, loss_name: str) -> Callable[..., Tensor]:
        training, outputs = self.config.training, self._outputs
        loss_of = [self._losses[loss_name if final else training.loss] for final in outputs.final]

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def run(image: Tensor, seen: Tensor, true: Tensor, weight: Tensor, batch_size: Tensor) -> Tensor:
            """All batches of an epoch in one call: Python between the steps would cost as much as the steps."""
            total = 0.0
            n_steps = tf.shape(image)[0] // batch_size
            for step in tf.range(n_steps):
                part = slice(step * batch_size, (step + 1) * batch_size)
                with tf.GradientTape() as tape:
                    preds = tf.nest.flatten(self._decode(outputs.model, self.encoder(image[part]), seen[part]))
                    losses = [share * tf.reduce_mean(weight[part] * one_loss(true[part], pred))
                              for share, one_loss, pred in zip(outputs.weights, loss_of, preds, strict=True)]
                    loss = tf.add_n(losses)
                gradients = tape.gradient(loss, self.variables)
                if training.clip_norm:
                    gradients, _ = tf.clip_by_global_norm(gradients, training.clip_norm)
                self.optimizer.apply_gradients(zip(gradients, self.variables))  # noqa: B905  (traced by AutoGraph)
                total += loss
            return total / tf.cast(n_steps, tf.float32)

        traced: Callable[..., Tensor] = run
        return traced
