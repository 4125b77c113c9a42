"""Quantisers and activations by what a Keras file says of them, as functions of arrays.

Those that the chip has are written here, in NumPy; QKeras itself computes all others.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.foreign.layers import Function, Layer

_PARAMETERS = {
    "quantized_bits": ("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding",
                       "scale_axis", "qnoise_factor"),
    "quantized_relu": ("bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding",
                       "relu_upper_bound", "is_quantized_clip", "qnoise_factor"),
}
_DEFAULTS = {"bits": 8, "integer": 0, "symmetric": 0, "keep_negative": True, "alpha": None, "use_sigmoid": 0,
             "negative_slope": 0.0, "use_stochastic_rounding": False, "relu_upper_bound": None,
             "is_quantized_clip": True, "qnoise_factor": 1.0, "scale_axis": None, "var_name": None, "use_ste": True,
             "use_variables": False}
_LARGEST = 1024
_GRID = 2.0**-24
"""QKeras adds a difference to the value it rounds, in single precision: its results are exact to this step."""


@dataclass(frozen=True)
class Call:
    """A quantiser or an activation: its name and its arguments."""

    name: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        words = [repr(value) for value in self.args]
        words += [f"{key}={value!r}" for key, value in (self.options or {}).items()
                  if key not in _DEFAULTS or value != _DEFAULTS[key] or key in ("bits", "integer")]
        return f"{self.name}({', '.join(words)})" if words else self.name

    @property
    def all_options(self) -> dict[str, Any] | None:
        """Every argument by name, for a quantiser whose parameters are known here."""
        names = _PARAMETERS.get(self.name)
        if names is None or len(self.args) > len(names):
            return None
        given = dict(zip(names, self.args, strict=False)) | dict(self.options or {})
        return {name: value for name, value in _DEFAULTS.items() if name in names} | given


def parse(written: Any, layer: Layer) -> Call | None:
    """What a file has in the place of a quantiser or activation: nothing, a name, a call in text, or a dictionary."""
    if written is None:
        return None
    if isinstance(written, Mapping):
        name, config = written.get("class_name"), written.get("config")
        if name == "function":
            return parse(config, layer)
        if isinstance(name, str) and isinstance(config, Mapping):
            options = {str(key): value for key, value in config.items() if key != "name"}
            if all(map(_is_plain, options.values())):
                return Call(name.rpartition(">")[2], (), options)
    if isinstance(written, str):
        try:
            tree = ast.parse(written.strip(), mode="eval").body
            if isinstance(tree, ast.Name | ast.Attribute):
                return Call(_name(tree))
            if isinstance(tree, ast.Call):
                values = [ast.literal_eval(one) for one in tree.args]
                options = {str(one.arg): ast.literal_eval(one.value) for one in tree.keywords}
                if all(map(_is_plain, (*values, *options.values()))):
                    return Call(_name(tree.func), tuple(values), options)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            pass
    raise InputError(f"{layer}: quantiser or activation {str(written)[:80]!r}, expected a name with numbers, such as "
                     "quantized_relu(8,1)")


def _name(tree: ast.expr) -> str:
    if isinstance(tree, ast.Attribute):
        return tree.attr
    if isinstance(tree, ast.Name):
        return tree.id
    raise ValueError


def _is_plain(value: Any) -> bool:
    """A setting of any quantiser; QKeras would raise 2 to any number."""
    return value is None or isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= _LARGEST)


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
