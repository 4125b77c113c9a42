"""Batch normalisation outside training: a scale and a shift for each channel."""

from __future__ import annotations

import numpy as np

from models.arrays import Float64Array, FloatArray
from models.errors import InputError
from models.foreign.calls import parse
from models.foreign.functions import quantised
from models.foreign.layers import Layer


def scale_and_shift(layer: Layer) -> tuple[Float64Array, Float64Array]:
    """Scale and shift per channel of a normalisation outside training."""
    arrays = layer.arrays
    if layer.kind == "Affine":
        return np.asarray(arrays["scale"], np.float64).ravel(), np.asarray(arrays["shift"], np.float64).ravel()
    missing = next((name for name in ("moving_mean", "moving_variance") if name not in arrays), None)
    if missing:
        raise InputError(f"{layer}: array {missing} is missing")
    used = {name: _norm_array(layer, name) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    shapes = {values.shape for values in used.values()}
    epsilon = layer.config.get("epsilon", 1e-3)
    if len(shapes) != 1 or len(next(iter(shapes))) != 1 or not isinstance(epsilon, int | float):
        raise InputError(f"{layer} has arrays of shapes {', '.join(map(str, sorted(shapes)))} and epsilon {epsilon}, "
                         "expected a number for each channel")
    with np.errstate(all="ignore"):
        scale = used["gamma"] / np.sqrt(used["moving_variance"] + float(epsilon))
    shift = used["beta"] - used["moving_mean"] * scale
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        raise InputError(f"{layer}: variance {used['moving_variance'].min()} below -{epsilon}")
    return scale, shift


def _norm_array(layer: Layer, name: str) -> FloatArray:
    if name not in layer.arrays:
        return np.full_like(layer.arrays["moving_mean"], 1.0 if name == "gamma" else 0.0)
    call = parse(layer.config.get(f"{name.removeprefix('moving_')}_quantizer"), layer)
    return quantised(layer.arrays[name], call, layer, is_kernel=False)
