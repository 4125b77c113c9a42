"""Losses by name: the distance of the decoder's charge map from the true one.

Every loss takes `true` and `pred`, (n, 48) float32 in trigger-cell order, each with sum 1 (or 0 for an empty module),
and returns (n,). `emd` is the quantity to minimise, with its exact gradient; the others are smooth approximations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.trigger_cells import N_TRIGGER_CELLS, SUPER_CELLS, distance_matrix, super_cell_weights
from training.physics.emd import emd_and_potential

# isort: split
import tensorflow as tf

Tensor = Any
Loss = Callable[[Tensor, Tensor], Tensor]

KERNEL_WIDTHS = (1.0, 2.0, 4.0, 8.0)
"""Widths of the Gaussians of `kernel` in sensor-cell pitches: from half a trigger cell to half a module."""

SINKHORN_REGULARISATION = 0.5
"""Entropy weight of `sinkhorn` in sensor-cell pitches: a quarter of the distance between neighbouring trigger cells."""
SINKHORN_ITERATIONS = 100  # with this weight, within 1% of convergence on pile-up modules

_SMALLEST = 1e-12  # keeps square roots and logarithms differentiable; far below any squared charge fraction


def weighted_mse(true: Tensor, pred: Tensor) -> Tensor:
    """Mean over the cells of (true - pred)^2 * max(true, pred), so that large charges count more.

    Examples:
        >>> import numpy as np
        >>> from training.losses import weighted_mse
        >>> true, pred = np.eye(48, dtype=np.float32)[[0, 0]], np.eye(48, dtype=np.float32)[[0, 1]]
        >>> loss = weighted_mse(true, pred).numpy()
        >>> loss.shape, bool(loss[1] > loss[0])
        ((2,), True)
    """
    return tf.reduce_mean(tf.square(true - pred) * tf.maximum(true, pred), axis=-1)


def telescope(true: Tensor, pred: Tensor) -> Tensor:
    """Sum of `weighted_mse` on three scales: 4 x trigger cells + 2 x 36 overlapping 2x2 super cells + 3 sums of 16.

    All three image geometries, 8x8, 4x4x3 and 6x6x3, share it: telescope.py of Ecoder (github.com/kakwok/Ecoder and its
    forks) reads the 48 cells back from each of them, repeated edges of 6x6x3 once, before it sums.

    Examples:
        >>> import numpy as np
        >>> from training.losses import telescope
        >>> true, pred = np.eye(48, dtype=np.float32)[[0, 0]], np.eye(48, dtype=np.float32)[[0, 1]]
        >>> loss = telescope(true, pred).numpy()
        >>> loss.shape, bool(loss[1] > loss[0])
        ((2,), True)
    """
    groups = np.zeros((N_TRIGGER_CELLS, len(SUPER_CELLS)), np.float32)
    groups[SUPER_CELLS.ravel(), np.repeat(np.arange(len(SUPER_CELLS)), SUPER_CELLS.shape[1])] = 1
    thirds = np.repeat(np.eye(3, dtype=np.float32), N_TRIGGER_CELLS // 3, axis=0)
    true36, pred36 = tf.matmul(true, groups), tf.matmul(pred, groups)
    super_cells = tf.square(true36 - pred36) * tf.maximum(true36, pred36) * super_cell_weights().astype(np.float32)
    return (4 * weighted_mse(true, pred) + 2 * tf.reduce_mean(super_cells, axis=-1)
            + weighted_mse(tf.matmul(true, thirds), tf.matmul(pred, thirds)))


def kernel(true: Tensor, pred: Tensor) -> Tensor:
    """Mean over several widths of the kernel distance of the two maps, weighted by 1 / width.

    For one width it is the square root of sum_ij d_i K_ij d_j, with d = true - pred and K a Gaussian of the distance
    between cells i and j: both maps are blurred, then compared. Together, the widths see charge misplaced by any
    distance; the weights keep the largest widths from dominating the sum.

    Examples:
        >>> import numpy as np
        >>> from training.losses import kernel
        >>> true, pred = np.eye(48, dtype=np.float32)[[0, 0]], np.eye(48, dtype=np.float32)[[0, 1]]
        >>> loss = kernel(true, pred).numpy()
        >>> loss.shape, bool(loss[1] > loss[0])
        ((2,), True)
    """
    squared = np.square(distance_matrix())
    difference = true - pred
    total = 0.0
    for width in KERNEL_WIDTHS:
        gaussian = np.exp(-squared / (2 * width**2)).astype(np.float32)
        energy = tf.reduce_sum(tf.matmul(difference, gaussian) * difference, axis=-1)
        total += tf.sqrt(tf.maximum(energy, 0.0) + _SMALLEST) / width
    return total / sum(1 / width for width in KERNEL_WIDTHS)


def sinkhorn(true: Tensor, pred: Tensor) -> Tensor:
    """Cost of the entropy-regularised transport plan (Sinkhorn's iteration in logarithms), slightly above the EMD.

    Examples:
        >>> import numpy as np
        >>> from training.losses import sinkhorn
        >>> true, pred = np.eye(48, dtype=np.float32)[[0, 0]], np.eye(48, dtype=np.float32)[[0, 1]]
        >>> loss = sinkhorn(true, pred).numpy()
        >>> loss.shape, bool(loss[1] > loss[0])
        ((2,), True)
    """
    cost = tf.constant(distance_matrix(), tf.float32)
    reduced = -cost / SINKHORN_REGULARISATION
    log_true, log_pred = tf.math.log(true + _SMALLEST), tf.math.log(pred + _SMALLEST)
    column = tf.zeros_like(pred)
    for _ in range(SINKHORN_ITERATIONS):
        row = log_true - tf.reduce_logsumexp(reduced + column[:, None, :], axis=-1)
        column = log_pred - tf.reduce_logsumexp(reduced + row[:, :, None], axis=-2)
    plan = tf.exp(row[:, :, None] + reduced + column[:, None, :])
    return tf.reduce_sum(plan * cost, axis=(-2, -1))


def emd(true: Tensor, pred: Tensor) -> Tensor:
    """Exact earth mover's distance; 0 for an empty module.

    Its gradient is the potential of the dual problem: the cost of a little more charge in a cell.

    Examples:
        >>> import numpy as np
        >>> from training.losses import emd
        >>> true, pred = np.eye(48, dtype=np.float32)[[0, 0]], np.eye(48, dtype=np.float32)[[0, 1]]
        >>> loss = emd(true, pred).numpy()
        >>> loss.shape, bool(loss[1] > loss[0])
        ((2,), True)
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def forward(pred: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        value, slope = tf.numpy_function(_emd_and_gradient, [true, pred], [tf.float32, tf.float32])
        value.set_shape(pred.shape[:1])
        slope.set_shape(pred.shape)
        return value, lambda upstream: upstream[:, None] * slope

    return forward(pred)


def _emd_and_gradient(true: Any, pred: Any) -> tuple[Any, Any]:
    value, potential = emd_and_potential(true, pred)
    return value.astype(np.float32), -potential.astype(np.float32)


LOSSES: dict[str, Loss] = {
    "telescope": telescope, "telescope_4x4x3": telescope, "telescope_6x6x3": telescope,
    "weighted_mse": weighted_mse, "kernel": kernel, "sinkhorn": sinkhorn, "emd": emd,
}
"""All losses that do not need a trained model."""
