"""Whether an encoder looks as it did before training: biases of 0, and kernels within the bound of their start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.foreign.layers import Layer

_CUT = 2 / 0.87962566103423978
"""Keras draws normal numbers up to two standard deviations and widens them to the deviation that was asked for."""
_SCALES = {"he": (2.0, "fan_in"), "glorot": (1.0, "fan_avg"), "lecun": (1.0, "fan_in")}


def looks_untrained(kernels: list[tuple[Layer, FloatArray]]) -> str | None:
    """A line that says so, or None. A layer without biases counts if its kernel spreads as its initialiser's numbers.

    kernels: the layers and their kernels before any quantiser.
    """
    reasons = []
    for layer, kernel in kernels:
        start = _start(layer, kernel)
        bias = layer.arrays.get("bias")
        if start is None or np.abs(kernel).max() > start[1] * (1 + 1e-6) or (bias is not None and np.any(bias)):
            return None
        if bias is None and abs(kernel.std() / start[2] - 1) > 4 / np.sqrt(2 * kernel.size):
            return None
        reasons.append(f"{layer.name} up to {np.abs(kernel).max():.5f} of {start[1]:.5f} ({start[0]})")
    return ("looks untrained: all biases are 0 and no kernel exceeds the bound of its initialiser ("
            + ", ".join(reasons) + ")")


def _start(layer: Layer, kernel: FloatArray) -> tuple[str, float, float] | None:
    """Name, largest value and standard deviation of the numbers that a kernel starts from."""
    written = layer.config.get("kernel_initializer")
    while isinstance(written, Mapping) and isinstance(written.get("config"), Mapping) and (
            "initializer" in written["config"]):
        written = written["config"]["initializer"]  # QKeras wraps it
    name, options = _named(written)
    if name == "":  # not said: the widest of the usual ones
        name = "henormal"
    for family, (scale, mode) in _SCALES.items():
        if name.startswith(family):
            return _bounds(kernel, scale, mode, name.removeprefix(family), name)
    if name == "variancescaling":
        return _bounds(kernel, float(options.get("scale", 1.0)), str(options.get("mode", "fan_in")),
                       str(options.get("distribution", "truncated_normal")), name)
    return None


def _named(written: Any) -> tuple[str, Mapping[str, Any]]:
    options: Mapping[str, Any] = {}
    if isinstance(written, Mapping):
        options = written["config"] if isinstance(written.get("config"), Mapping) else {}
        written = written.get("class_name")
    return str(written or "").lower().replace("_", ""), options


def _bounds(kernel: FloatArray, scale: float, mode: str, distribution: str, name: str) -> tuple[str, float, float]:
    receptive = int(np.prod(kernel.shape[:-2]))
    fans = {"fan_in": receptive * kernel.shape[-2], "fan_out": receptive * kernel.shape[-1]}
    fan = fans.get(mode, sum(fans.values()) / 2)
    deviation = float(np.sqrt(scale / fan))
    if "uniform" in distribution:
        return name, float(np.sqrt(3)) * deviation, deviation
    return name, _CUT * deviation, deviation
