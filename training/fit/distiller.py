"""Distillation: a compact decoder learns from the truth and from another decoder of the same encoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator import encode
from models.arrays import IntArray
from models.compact_decoder import SUM_VALUE, CompactSpec
from models.config import Config
from models.qkeras_decoder import build_decoder
from models.trigger_cells import N_TRIGGER_CELLS, to_image_order
from models.weights import EncoderWeights
from training.data.dataset import Dataset
from training.fit.trainer import Trainer
from training.losses.find import find_loss
from training.networks.compact import input_values
from training.networks.decoding import decode

# isort: split
import tensorflow as tf

_SUM_WEIGHT = 0.1  # in the loss, of the squared difference of all charges from the module sum
_SUM_RANGE = 4.0  # maps are normalised in the loss if their charges differ by less than this factor from the module sum
_SMALLEST = 1e-5  # added to every charge that is validated: an empty map has no EMD


Tensor = Any


class _Fields:
    """The encoder that the trainer expects: inputs of the decoder come from integers, and nothing in it is trained."""

    trainable_weights: tuple[Any, ...] = ()

    def __call__(self, fields: Tensor) -> Tensor:
        return fields


class Distiller(Trainer):
    """Trainer of a compact decoder on the integers of a trained encoder.

    In the epochs of `training.loss`, the loss is a mean of the distances from the truth and, with the weight `share`,
    from the charges that `teacher` decodes; in those of `training.final_loss`, it is the distance from the truth.
    """

    def __init__(
        self, config: Config, weights: EncoderWeights, teacher: Any, spec: CompactSpec, dataset: Dataset, share: float
    ) -> None:
        """Set up a training without reading any data; `teacher` is only asked with a `share` above 0."""
        self._weights, self._teacher, self._spec, self._share = weights, teacher, spec, share
        self.student = build_decoder(spec, config.training.seed)
        super().__init__(config, _Fields(), self.student, dataset)

    def _prepare(self, calq: IntArray, columns: dict[str, Any] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Convert charges in trigger-cell order to inputs of the decoder, nothing, and fractions (n, 96).

        The fractions are those of the truth, then those of the teacher.
        """
        coded = encode(self._weights, to_image_order(calq), keep=["module_sum", "latent_code"])
        module_sum, latent = coded["module_sum"], coded["latent_code"]
        true = (calq / np.maximum(calq.sum(axis=1, dtype=np.int64), 1)[:, None]).astype(np.float32)
        taught = true
        if self._share:
            taught = decode(self._teacher, self._weights.spec.latent.value(latent), module_sum, columns)
        fields = input_values(self._spec, latent, module_sum)
        both = np.concatenate([true, np.asarray(taught, np.float32)], axis=1)
        return tf.constant(fields), tf.zeros((len(calq), 0)), tf.constant(both)

    def _predict(self, image: Tensor, seen: Tensor) -> Tensor:
        return super()._predict(image, seen) + _SMALLEST

    @cached_property
    def _losses(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        training = self.config.training
        names = {training.loss: self._share, training.final_loss: 0.0} if training.final_fraction else {
            training.loss: self._share}
        return {name: self._loss(name, share) for name, share in names.items()}

    def _loss(self, name: str, share: float) -> Callable[[Tensor, Tensor], Tensor]:
        distance = find_loss(name, self.config.training.emd_loss_models)

        def loss(both: Tensor, charge: Tensor) -> Tensor:
            true, taught = both[:, :N_TRIGGER_CELLS], both[:, N_TRIGGER_CELLS:]
            total = tf.reduce_sum(charge, axis=-1, keepdims=True)
            # A map of little charge would otherwise have a gradient of any size.
            fractions = charge / tf.clip_by_value(total, SUM_VALUE / _SUM_RANGE, SUM_VALUE * _SUM_RANGE)
            off = _SUM_WEIGHT * tf.square(total[:, 0] / SUM_VALUE - 1)
            if share:
                return off + (1 - share) * distance(true, fractions) + share * distance(taught, fractions)
            return off + distance(true, fractions)

        return loss
