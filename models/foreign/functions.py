"""Quantisers and activations by what a Keras file says of them, as functions of arrays.

Those that the chip has are written here, in NumPy; QKeras itself computes all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.fixed_point import FixedPoint
from models.foreign.calls import _DEFAULTS, Call
from models.foreign.layers import Function, Layer

_GRID = 2.0**-24
"""QKeras adds a difference to the value it rounds, in single precision: its results are exact to this step."""


def quantised(values: FloatArray, call: Call | None, layer: Layer, is_kernel: bool) -> FloatArray:
    """An array as the layer's quantiser hands it on. QKeras scales a kernel whose `alpha` is not given."""
    if call is None:
        return values
    form = _signed_format(call, is_kernel)
    if form is not None:
        return form.value(form.quantize(values))
    from models.foreign.qkeras_layers import qkeras_function  # TensorFlow: seconds, and not in every installation

    return snapped(qkeras_function(call, layer, is_kernel)(values))


def function_of(call: Call | None, layer: Layer) -> Function:
    """An activation as a function of arrays."""
    if call is None or call.name == "linear":
        return lambda values: values
    if call.name == "relu" and not call.args and not call.options:
        return partial(np.maximum, 0.0)
    form = _unsigned_format(call) or _signed_format(call, is_kernel=False)
    if form is not None:
        return lambda values: form.value(form.quantize(values))
    from models.foreign.qkeras_layers import qkeras_function  # TensorFlow

    function = qkeras_function(call, layer, is_kernel=False)
    return lambda values: snapped(function(values))


def snapped(values: FloatArray) -> FloatArray:
    """Without the errors of single precision in the sum that a QKeras quantiser returns."""
    return np.asarray(np.rint(np.asarray(values, np.float64) / _GRID) * _GRID, dtype=np.float64)


def _signed_format(call: Call, is_kernel: bool) -> FixedPoint | None:
    """The format of `quantized_bits` that scales nothing."""
    options = call.all_options if call.name == "quantized_bits" else None
    if options is None or not _only(options, "bits", "integer", "alpha", "keep_negative"):
        return None
    plain = options["alpha"] == 1 or (options["alpha"] is None and not is_kernel)
    return _format(options, signed=bool(options["keep_negative"])) if plain else None


def _unsigned_format(call: Call) -> FixedPoint | None:
    options = call.all_options if call.name == "quantized_relu" else None
    return _format(options, signed=False) if options and _only(options, "bits", "integer") else None


def _only(options: Mapping[str, Any], *free: str) -> bool:
    """Whether all options but `free` have their defaults."""
    return all(value == _DEFAULTS.get(name, value) for name, value in options.items() if name not in free)


def _format(options: Mapping[str, Any], signed: bool) -> FixedPoint | None:
    bits, integer = options["bits"], options["integer"]
    if not (isinstance(bits, int) and isinstance(integer, int) and 2 <= bits <= 24 and abs(integer) <= 24):
        return None
    return FixedPoint(bits, integer + signed, signed, "half_even", "saturate")
