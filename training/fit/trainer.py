"""Training loop: fits encoder and decoder to augmented batches, epoch by epoch."""

from __future__ import annotations

import logging
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
from training.fit.optimizer import optimizer_of, state_of
from training.losses.find import find_loss
from training.networks.chip_encoder import ExactEncoder, image_codes
from training.networks.decoder import TrainedOutputs, build_decoder, context_width, seen_context
from training.networks.keras_encoder import training_encoder
from training.physics.emd import emd
from training.production.condition_columns import CELLS, condition_columns, missing_conditions
from training.results.run import Epoch

# isort: split
import tensorflow as tf

_LEAST = 1e-9  # of a sum of fractions

log = logging.getLogger(__name__)

Tensor = Any
EpochReport = Callable[[int, Epoch], None]
"""Called after every epoch with its number, from 1, and its values."""


class Trainer:
    """Encoder, decoder and optimiser of a training, with the whole state needed to resume it.

    Examples:
        >>> from models import Config
        >>> from training import Dataset, Trainer
        >>> config = Config.load("econ_t_2elink").override(
        ...     data={"source": "toy", "n_modules": 200},
        ...     training={"epochs": 1, "augment": {"pool": 100}, "decoder": {"width": 16}})
        >>> trainer = Trainer.from_config(config, Dataset.from_config(config))
        >>> _ = trainer.fit()
        >>> trainer.finished, trainer.encoder.codes().flat.shape
        (True, (2144,))
    """

    def __init__(self, config: Config, encoder: Any, decoder: Any, dataset: Dataset) -> None:
        """Set up a training without reading any data.

        `encoder`: image codes (n, 8, 8) -> inputs of the decoder other than the module sum.
        """
        self.config, self.encoder, self.decoder, self.dataset = config, encoder, decoder, dataset
        self._outputs = TrainedOutputs.of(decoder)
        training, n_modules = config.training, len(dataset.split.train)
        self.n_steps = max(training.passes * n_modules // training.batch_size, 1)
        # A decoder that refines holds the encoder.
        known = {id(variable) for variable in encoder.trainable_weights}
        own = [variable for variable in decoder.trainable_weights if id(variable) not in known]
        self.variables = [*encoder.trainable_weights, *own]
        self.optimizer = optimizer_of(training, self.n_steps * training.epochs, self.variables)
        self.best = [variable.numpy() for variable in self.variables]
        self.history: list[Epoch] = []
        self._functions: dict[str, Callable[..., Tensor]] = {}

    @classmethod
    def from_config(cls, config: Config, dataset: Dataset) -> Trainer:
        """Build a trainer with untrained encoder and decoder."""
        training = config.training
        encoder = training_encoder(config)
        known = encoder if isinstance(encoder, ExactEncoder) else None
        return cls(config, encoder, build_decoder(config.encoder, training.decoder, training.seed, known), dataset)

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """Epoch with the smallest mean EMD of the validation rows, counted from 1; 0 before the first."""
        return int(np.argmin([one.val_emd for one in self.history])) + 1 if self.epoch else 0

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the last `patience` ones brought no improvement."""
        training = self.config.training
        return self.epoch >= training.epochs or self.epoch - self.best_epoch >= training.patience

    @property
    def state(self) -> list[Any]:
        """All variables: the trained ones, then those of the optimiser."""
        return [*self.variables, *state_of(self.optimizer)]

    def fit(self, report: EpochReport | None = None) -> None:
        """Train all epochs, then restore encoder and decoder of the best one.

        `report` is called after each epoch. Raises InputError if loss or outputs are no longer finite.
        """
        for epoch in self.epochs():
            if report:
                report(epoch, self.history[-1])
        self.restore_best()

    def epochs(self) -> Iterator[int]:
        """Train epoch by epoch and yield the number of each finished epoch, from 1; does not restore the best one.

        The modules of an epoch depend only on the seed and its number. A thread, which ends with the iterator, draws
        those of the next epoch during training.
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
        final = self.epoch >= training.n_first_epochs
        loss_name = training.final_loss if final else training.loss
        loss = float(self._epoch_function(loss_name)(*batches))
        image, seen, true = self._validation
        pred = self._predict(image, seen)
        if not (np.isfinite(loss) and np.isfinite(pred.numpy()).all()):
            raise InputError(f"epoch {self.epoch + 1}: loss {loss:g} or decoded charges are not finite; "
                             f"lower training.learning_rate, now {training.learning_rate:g}")
        val_loss = float(tf.reduce_mean(self._losses[loss_name](true, pred)))
        val_emd = float(emd(to_trigger_cells(self.dataset.validation.calq), pred.numpy(), n_processes=1).mean())
        self.history.append(Epoch(loss, val_loss, val_emd))
        if self.best_epoch == self.epoch:
            self.best = [variable.numpy() for variable in self.variables]

    def _draw(self, epoch: int) -> tuple[Tensor, ...]:
        """Draw the modules of all batches of an epoch; returns them with their weights and the batch size."""
        training = self.config.training
        rng = np.random.default_rng([training.seed, epoch])
        n_modules = len(self._train)
        rows = np.concatenate([rng.permutation(n_modules) for _ in range(training.passes)])
        size = min(training.batch_size, len(rows))
        pool = self.dataset.pool if training.augment.generated else None
        rows = rows[: self.n_steps * size]
        calq = augment(self._train[rows], training.augment, rng, pool)
        columns = {name: column[rows] for name, column in self._columns.items()}
        if CELLS in columns:  # augmentation may have put charge where there is no cell
            calq = np.where(columns[CELLS], calq, 0)
        weight = occupancy_weights(calq, training.occupancy_weight)
        return *self._prepare(calq, columns), tf.constant(weight), tf.constant(size)

    @cached_property
    def _columns(self) -> dict[str, Any]:
        """What is known of the training modules, if the decoder sees any of it or some of them are partial."""
        columns = condition_columns(self.dataset.train.extra)
        wanted = self.config.training.decoder.conditions
        missing = missing_conditions(wanted, columns)
        if missing:
            log.warning("conditions %s: no such columns in %s; the decoder sees 0 instead", ", ".join(missing),
                        self.dataset.source)
        return columns if wanted else {name: column for name, column in columns.items() if name == CELLS}

    @cached_property
    def _train(self) -> IntArray:
        return to_trigger_cells(self.dataset.train.calq)

    @cached_property
    def _validation(self) -> tuple[Tensor, Tensor, Tensor]:
        columns = condition_columns(self.dataset.validation.extra)
        columns = {name: column for name, column in columns.items() if name in self._columns}
        return self._prepare(to_trigger_cells(self.dataset.validation.calq), columns)

    @cached_property
    def _losses(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        training = self.config.training
        return {name: find_loss(name, training.emd_loss_models) for name in {training.loss, training.final_loss}}

    def restore_best(self) -> None:
        """Put the variables of the best epoch into encoder and decoder."""
        for variable, value in zip(self.variables, self.best, strict=True):
            variable.assign(value)

    def _prepare(self, calq: IntArray, columns: dict[str, Any] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Convert charges in trigger-cell order to image codes (n, 8, 8), what is seen, charge fractions (n, 48).

        Seen is the decoder's context, followed by which of the 48 cells exist, if that is known.
        """
        module_sum = calq.sum(axis=1, dtype=np.int64)
        fractions = calq / np.maximum(module_sum, 1)[:, None]
        image = image_codes(self.config.encoder, to_image_order(calq))
        columns = columns or {}
        seen = seen_context(module_sum, columns, max(context_width(self.decoder), 2))
        if CELLS in columns:
            seen = np.concatenate([seen, columns[CELLS].astype(np.float32)], axis=1)
        return tf.constant(image), tf.constant(seen), tf.constant(fractions.astype(np.float32))

    def _decode(self, decoder: Any, latent: Tensor, seen: Tensor) -> Any:
        n_inputs, width = len(self.decoder.inputs), max(context_width(self.decoder), 2)
        found = decoder([latent, seen[:, :width]] if n_inputs > 1 else latent)
        if seen.shape[1] <= width:
            return found
        there = seen[:, width:]
        return tf.nest.map_structure(
            lambda one: one * there / tf.maximum(tf.reduce_sum(one * there, axis=1, keepdims=True), _LEAST), found)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def _predict(self, image: Tensor, seen: Tensor) -> Tensor:
        return self._decode(self.decoder, self.encoder(image), seen)

    def _epoch_function(self, loss_name: str) -> Callable[..., Tensor]:
        if loss_name not in self._functions:
            self._functions[loss_name] = self._trace(loss_name)
        return self._functions[loss_name]

    def _trace(self, loss_name: str) -> Callable[..., Tensor]:
        training, outputs = self.config.training, self._outputs
        n_encoder = len(self.encoder.trainable_weights)
        loss_of = [self._losses[loss_name if final else training.loss] for final in outputs.final]

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def run(image: Tensor, seen: Tensor, true: Tensor, weight: Tensor, batch_size: Tensor) -> Tensor:
            """Train all batches of an epoch in one call: Python between the steps would take as long as the steps."""
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
                if training.bare_floor:
                    gradients = [tf.zeros_like(one) if k < n_encoder else one for k, one in enumerate(gradients)]
                if training.clip_norm:
                    gradients, _ = tf.clip_by_global_norm(gradients, training.clip_norm)
                self.optimizer.apply_gradients(zip(gradients, self.variables))  # noqa: B905  (traced by AutoGraph)
                total += loss
            return total / tf.cast(n_steps, tf.float32)

        traced: Callable[..., Tensor] = run
        return traced
