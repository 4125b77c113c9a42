"""Optimisers and schedules of the learning rate, by the names of `training.optimizer` and `training.schedule`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.config import TrainingConfig

# isort: split
import tensorflow as tf
import tf_keras

LAST_RATE = 0.01
"""Every schedule but `constant` ends at this fraction of the initial learning rate."""
_EPSILON = 1e-12
"""Losses are quadratic or cubic in charge fractions: the usual epsilon of 1e-7 would swamp their gradients."""
_RESTARTS = 7  # parts of a training: three cosines, each twice as long as the one before

Tensor = Any


def optimizer_of(training: TrainingConfig, n_steps: int, variables: Sequence[Tensor]) -> Any:
    """Build the optimiser of a training of this many steps, with its variables, which a traced function cannot make."""
    rate = schedule_of(training, n_steps)
    if training.optimizer == "adam":
        # The legacy class updates a variable with one kernel instead of ten, which saves 7% of an epoch.
        adam = tf_keras.optimizers.legacy.Adam(rate, epsilon=_EPSILON)
        adam.apply_gradients([(tf.zeros_like(variable), variable) for variable in variables])
        adam.iterations.assign(0)
        return adam
    options: dict[str, Any] = {"weight_decay": training.weight_decay, "jit_compile": False}
    if training.optimizer == "adamw":
        found = tf_keras.optimizers.AdamW(rate, epsilon=_EPSILON, **options)
    else:
        found = tf_keras.optimizers.Lion(rate, **options)
    found.build(variables)
    return found


def state_of(optimizer: Any) -> list[Tensor]:
    """All variables of an optimiser."""
    return list(optimizer.weights if hasattr(optimizer, "weights") else optimizer.variables)


def schedule_of(training: TrainingConfig, n_steps: int) -> Any:
    """Learning rate by step."""
    schedules, rate = tf_keras.optimizers.schedules, training.learning_rate
    if training.schedule == "restarts":
        return schedules.CosineDecayRestarts(rate, max(-(-n_steps // _RESTARTS), 1), t_mul=2.0, alpha=LAST_RATE)
    if training.schedule == "step":
        return schedules.PiecewiseConstantDecay([n_steps // 3, 2 * n_steps // 3],
                                                [rate, rate * LAST_RATE**0.5, rate * LAST_RATE])
    if training.schedule == "exponential":
        return schedules.ExponentialDecay(rate, n_steps, LAST_RATE)
    if training.schedule == "constant":
        return rate
    return schedules.CosineDecay(rate, n_steps, alpha=LAST_RATE)
