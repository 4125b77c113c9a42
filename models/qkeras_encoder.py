"""The encoder as a plain QKeras model: what training starts from and hls4ml reads."""

from __future__ import annotations

from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.errors import InputError
from models.spec import EncoderSpec
from models.trigger_cells import IMAGE_SIZE
from models.weights import EncoderWeights

# isort: split
import tf_keras
from qkeras import QActivation, QConv2D, QDense


def build_encoder(spec: EncoderSpec) -> Any:
    """A tf_keras model: image (8, 8, 1) -> conv -> hidden -> flatten -> dense -> encoded_vector (outputs).

    In QKeras arithmetic: sums are exact (float32 holds every sum of a valid spec), results rounded half to even. It
    equals the emulator for a spec of plain QKeras arithmetic; `training.networks.chip_encoder` computes the chip's.
    """
    conv, dense = spec.conv, spec.dense
    image = tf_keras.layers.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    x = QActivation(spec.input.as_qkeras(), name="input_quantizer")(image)
    x = QConv2D(
        conv.filters, conv.kernel, strides=conv.stride, padding="same", name="conv",
        kernel_quantizer=conv.weight.as_qkeras(), bias_quantizer=conv.bias.as_qkeras(),
    )(x)
    x = QActivation(conv.output.as_qkeras(), name="hidden")(x)
    x = tf_keras.layers.Flatten(name="flatten")(x)
    x = QDense(
        dense.outputs, name="dense",
        kernel_quantizer=dense.weight.as_qkeras(), bias_quantizer=dense.bias.as_qkeras(),
    )(x)
    x = QActivation(dense.output.as_qkeras(), name="encoded_vector")(x)
    return tf_keras.Model(image, x, name="encoder")


def set_weights(model: Any, weights: EncoderWeights) -> None:
    """Put integer weights into a model of `build_encoder`."""
    values = weights.values()
    for layer in ("conv", "dense"):
        model.get_layer(layer).set_weights([values[f"{layer}_kernel"], values[f"{layer}_bias"]])


def get_weights(model: Any, spec: EncoderSpec) -> EncoderWeights:
    """The integer weights of a model as its quantisers see them; raises InputError if one is off the grid."""
    values = {}
    for layer in ("conv", "dense"):
        found = model.get_layer(layer)
        for name, quantizer, variable in zip(
            ("kernel", "bias"), found.get_quantizers()[:2], found.weights[:2], strict=True
        ):
            if not np.isfinite(variable.numpy()).all():
                raise InputError(f"{model.name}: {layer}_{name} has a value that is not finite")
            values[f"{layer}_{name}"] = quantizer(variable).numpy()
    return EncoderWeights.from_values(spec, values, origin=model.name)
