"""The compact decoder as a plain QKeras model: what is trained, and what hls4ml reads."""

from __future__ import annotations

from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import IntArray
from models.compact_decoder import SUM_VALUE, CompactDecoder, CompactSpec
from models.errors import InputError

# isort: split
import tf_keras
from qkeras import QActivation, QDense


def build_decoder(spec: CompactSpec, seed: int = 0) -> Any:
    """A tf_keras model: values of the inputs (n, latents + 2) -> values of the last layer (n, 48).

    Its arithmetic is that of the spec: sums are exact (float32 holds every one), results rounded half to even. The
    outputs start at an equal charge in all cells: a cell that is never above 0 would have no gradient.
    """
    x = fields = tf_keras.layers.Input((spec.sizes[0],), name="fields")
    for index, layer in enumerate(spec.layers):
        last = index + 1 == len(spec.layers)
        # QKeras changes the scale of most initialisers, but not of this one.
        spread = np.sqrt((0.2 if last else 2.0) / spec.sizes[index])
        x = QDense(
            layer.units, name=f"dense_{index}", kernel_quantizer=layer.weight.as_qkeras(),
            bias_quantizer=layer.bias.as_qkeras(),
            kernel_initializer=tf_keras.initializers.RandomNormal(stddev=spread, seed=1000 * seed + index),
            bias_initializer=tf_keras.initializers.Constant(SUM_VALUE / layer.units if last else 0.0),
        )(x)
        x = QActivation(layer.output.as_qkeras(), name=f"output_{index}")(x)
    return tf_keras.Model(fields, x, name="compact_decoder")


def set_weights(model: Any, decoder: CompactDecoder) -> None:
    """Put integer weights into a model of `build_decoder`."""
    for index, (layer, kernel, bias) in enumerate(decoder.layers()):
        model.get_layer(f"dense_{index}").set_weights([layer.weight.value(kernel), layer.bias.value(bias)])


def get_weights(model: Any, spec: CompactSpec, encoder: str, made_from: str = "") -> CompactDecoder:
    """Integer weights of a model as its quantisers see them; raises InputError if one is not finite or off its grid."""
    parts: list[IntArray] = []
    for index, form in enumerate(spec.layers):
        layer = model.get_layer(f"dense_{index}")
        for name, quantizer, variable, target in zip(("kernel", "bias"), layer.get_quantizers()[:2], layer.weights[:2],
                                                     (form.weight, form.bias), strict=True):
            if not np.isfinite(variable.numpy()).all():
                raise InputError(f"{model.name}: {name}_{index} has a value that is not finite")
            try:
                parts.append(target.exact(quantizer(variable).numpy(), f"{name}_{index}").ravel())
            except ValueError as error:
                raise InputError(f"{model.name}: {error}") from None
    return CompactDecoder.from_flat(spec, np.concatenate(parts), encoder, made_from)
