"""What QKeras and Keras compute: single quantisers and activations, and the encoder of a file as a model.

Only classes named here are made, from settings named here: a file cannot name code that runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import FloatArray
from models.errors import InputError
from models.foreign.calls import Call, parse
from models.foreign.layers import Function, Layer

# isort: split
import qkeras
import tf_keras
from qkeras import quantizers

_QUANTISERS = ("quantized_bits", "quantized_relu", "quantized_po2", "quantized_relu_po2", "quantized_tanh",
               "quantized_sigmoid", "quantized_ulaw", "quantized_hswish", "ternary", "binary")
_FUNCTIONS = ("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "softplus", "softsign", "tanh", "sigmoid",
              "hard_sigmoid", "swish", "silu", "exponential", "linear")
_SETTINGS = ("filters", "units", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups",
             "use_bias", "epsilon", "center", "scale", "axis", "dims", "target_shape", "max_value", "negative_slope",
             "threshold", "alpha", "folding_mode", "output_padding", "size", "interpolation", "cropping")
_CALLS = ("activation", "kernel_quantizer", "bias_quantizer", "gamma_quantizer", "beta_quantizer", "mean_quantizer",
          "variance_quantizer", "inverse_quantizer")
_LAYERS = {name: getattr(tf_keras.layers, name) for name in (
    "Conv2D", "Dense", "BatchNormalization", "Activation", "ReLU", "LeakyReLU", "Flatten", "Reshape", "Permute",
    "ZeroPadding2D", "Conv2DTranspose", "UpSampling2D", "Cropping2D", "Softmax")}
_LAYERS |= {name: getattr(qkeras, name) for name in (
    "QConv2D", "QDense", "QActivation", "QBatchNormalization", "QConv2DBatchnorm")}


def qkeras_function(call: Call, layer: Layer, is_kernel: bool) -> Function:
    """A quantiser of QKeras or an activation of Keras, on NumPy arrays."""
    made = _made(call, layer)
    if is_kernel and hasattr(made, "_set_trainable_parameter"):
        made._set_trainable_parameter()  # as QConv2D and QDense do

    def apply(values: FloatArray) -> FloatArray:
        with _refused(call, layer):
            return np.asarray(made(tf_keras.backend.constant(values, dtype="float32")), dtype=np.float64)

    return apply


@contextmanager
def _refused(call: Call, layer: Layer) -> Iterator[None]:
    """Turn what QKeras raises at settings that make no sense, asserts and conversions, into one line."""
    try:
        yield
    except Exception as error:
        raise InputError(f"{layer}: {call}: {' '.join(str(error).split())[:200] or type(error).__name__}") from None


def _made(call: Call, layer: Layer) -> Any:
    if call.name in _QUANTISERS:
        with _refused(call, layer):
            return getattr(quantizers, call.name)(*call.args, **dict(call.options or {}))
    if call.name in _FUNCTIONS and not call.args and not call.options:
        return tf_keras.activations.get(call.name)
    known = ", ".join((*_QUANTISERS, *_FUNCTIONS))
    raise InputError(f"{layer}: quantiser or activation {call.name!r}, expected one of {known}")


def rebuilt(layers: Sequence[Layer], input_shape: tuple[int, ...]) -> Function:
    """The layers as a model of QKeras with the arrays of the file: images (n, *input_shape) -> latents (n, outputs)."""
    image = tf_keras.layers.Input(input_shape)
    tensor = image
    for layer in layers:
        if layer.kind in _LAYERS:
            made = _LAYERS[layer.kind](**_settings(layer))
            tensor = made(tensor)
            _fill(made, layer)
    model = tf_keras.Model(image, tensor)
    return lambda images: np.asarray(model.predict(images.astype(np.float32), verbose=0), dtype=np.float64)


def _settings(layer: Layer) -> dict[str, Any]:
    config: Mapping[str, Any] = layer.config
    settings = {name: config[name] for name in _SETTINGS if config.get(name) is not None}
    if "Normalization" in layer.kind and isinstance(settings.get("axis"), list):
        settings["axis"] = settings["axis"][0]
    if "BatchNormalization" not in layer.kind and "Batchnorm" not in layer.kind:
        for name in ("scale", "center", "axis", "epsilon"):
            settings.pop(name, None)
    for name in _CALLS:
        call = parse(config.get(name), layer)
        if call is not None:
            settings[name] = _made(call, layer)
    return settings


def _fill(made: Any, layer: Layer) -> None:
    """The arrays of the file into the variables of the same names."""
    for variable in made.weights:
        name = variable.name.rpartition("/")[2].partition(":")[0]
        if name in layer.arrays:
            variable.assign(layer.arrays[name])
        elif name != "iteration":
            raise InputError(f"{layer}: no array {name}, expected one of shape {tuple(variable.shape)}")
