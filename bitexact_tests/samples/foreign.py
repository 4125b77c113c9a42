"""Encoders as people build them in QKeras, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.spec import EncoderSpec

SPEC = EncoderSpec.model_validate({
    "n_elinks": 5, "input": "U1.7",
    "conv": {"weight": "S1.5", "bias": "S1.5", "product": "exact", "output": "U1.7 half_even saturate"},
    "dense": {"weight": "S1.5", "bias": "S1.5", "product": "exact", "output": "U1.8 half_even saturate"},
})
"""Exact sums, rounded as QKeras does: an encoder of these formats must give the latents of its Keras model."""

BITS6 = "quantized_bits(6,0,alpha=1)"


def build(
    weight: str | None = BITS6, hidden: str = "quantized_relu(8,1)", latent: str = "quantized_relu(9,1)",
    first: bool = False, bias: bool = True, norm: str = "", kernel: int = 3, strides: int = 2, pool: bool = False,
    image: str | None = "quantized_relu(8,1)", flatten: str = "flatten", pad: bool = False, own: bool = False,
    shape: tuple[int, ...] | None = None, seed: int = 7, scale: float = 0.35,
) -> Any:
    """An encoder as people write it, with random weights."""
    import models.qkeras_setup  # noqa: F401

    # isort: split
    import tf_keras
    from qkeras import QActivation, QConv2D, QConv2DBatchnorm, QDense

    layers = tf_keras.layers
    order = "channels_first" if first else "channels_last"
    start = layers.Input(shape or ((1, 8, 8) if first else (8, 8, 1)))
    x = layers.Reshape((8, 8, 1))(start) if shape else start
    x = QActivation(image, name="image")(x) if image else x
    options = {"kernel_quantizer": weight, "bias_quantizer": weight and BITS6, "use_bias": bias}
    x = layers.ZeroPadding2D(((0, 1), (0, 1)), name="zeros")(x) if pad else x
    x = (QConv2DBatchnorm if norm == "inside" else QConv2D)(
        8, kernel, strides=strides, padding="valid" if pad else "same", data_format=order, name="conv",
        activation=hidden if own else None, **options)(x)
    if norm == "before":
        x = layers.BatchNormalization(axis=1 if first else -1, name="norm")(x)
    x = x if own else (layers.ReLU(name="hidden") if hidden == "relu" else QActivation(hidden, name="hidden"))(x)
    if norm == "behind":
        x = layers.BatchNormalization(name="norm")(x)
    x = layers.MaxPooling2D(2, data_format=order, name="pool")(x) if pool else x
    if flatten == "permuted":
        x = layers.Permute((2, 3, 1))(x)
    x = layers.Reshape((128,))(x) if flatten == "reshape" else layers.Flatten(
        data_format=order if flatten == "in order" else None)(x)
    x = QDense(16, name="dense", activation=latent if own else None, **options)(x)
    model = tf_keras.Model(start, x if own else QActivation(latent, name="latent")(x), name="encoder")
    fill(model, seed, scale)
    return model


def fill(model: Any, seed: int, scale: float = 0.35) -> None:
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if not variable.dtype.is_integer:
            values = rng.uniform(-scale, scale, variable.shape)
            variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)


def conditional_decoder(n_inputs: int = 24) -> Any:
    """As those of the conditional autoencoder, with random weights."""
    import tf_keras

    layers = tf_keras.layers
    x = start = layers.Input((n_inputs,), name="latents_and_conditions")
    for units in (24, 64, 128):
        x = layers.Dense(units, activation="relu")(x)
    x = layers.Conv2DTranspose(1, 3, strides=2)(layers.Reshape((4, 4, 8))(x))
    model = tf_keras.Model(start, layers.ReLU()(x[:, :8, :8, :]), name="decoder")
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0.05, 0.2, weight.shape) for weight in model.get_weights()])
    return model


def freeze(model: Any, path: Path, n_rows: int | None = 1, behind: Callable[[Any], Any] = lambda x: x) -> None:
    """Write a decoder as the frozen graph of flat images, for batches of this many rows; `behind`: what it ends in."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda x: behind(tf.reshape(model(x), (-1 if n_rows is None else n_rows, 64))))
    kind = tf.TensorSpec((n_rows, model.input_shape[1]), tf.float32)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(kind))
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString())
