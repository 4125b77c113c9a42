"""Activations against the chip's: a ReLU, then the rounding and the limit of a format."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.arrays import Int64Array
from models.fixed_point import FixedPoint
from models.foreign.layers import Function

_MOST_POINTS = 1 << 14


def difference(function: Function, form: FixedPoint) -> str | None:
    """How an activation differs from a ReLU with rounding to `form`, in words; None if it does not.

    A ReLU without a format is the chip's too; the direction of rounding is not looked at.
    """
    sums = points(16 * (form.max_code + 1)) * (form.lsb / 8)
    sums = np.concatenate([-sums[:0:-1], sums])
    values = np.asarray(function(sums), dtype=np.float64)
    rectified = np.maximum(sums, 0)
    negative = (sums < 0) & (values != 0)
    if negative.any():
        at = int(np.argmin(np.where(negative, np.abs(sums + 1), np.inf)))
        return f"gives {values[at]:.4g} for a sum of {sums[at]:.4g}, the chip's ReLU 0"
    highest = form.max_code * form.lsb
    inside = sums <= highest
    if np.array_equal(values[inside], rectified[inside]):
        return None
    scaled = values / form.lsb
    kept = np.abs(values - np.minimum(rectified, highest)) <= form.lsb
    if (scaled == np.rint(scaled)).all() and values.max() == highest and kept.all():
        return None
    steps = np.diff(np.unique(values))
    step = f"steps of {steps.min():.4g} " if steps.size else ""
    return (f"gives {step}up to {values.max():.6g}, the configuration's {str(form).split()[0]} steps of {form.lsb:.4g} "
            f"up to {highest:.6g}")


def points(end: int) -> Int64Array:
    """The integers 0..`end`, or of many the lowest and some of the others, the last one included."""
    low = np.arange(min(end, _MOST_POINTS))
    return np.unique(np.concatenate([low, np.linspace(0, end, _MOST_POINTS).astype(np.int64)]))


def leaky_relu(most: Any, slope: Any, threshold: float) -> Function:
    """Keras' ReLU with its settings."""
    top = np.inf if most is None else float(most)
    return lambda values: np.where(values >= threshold, np.minimum(values, top), float(slope) * (values - threshold))
