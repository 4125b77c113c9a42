"""Quantisers and activations as files name them: a call with arguments, read as data."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.errors import InputError
from models.foreign.layers import Layer

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
