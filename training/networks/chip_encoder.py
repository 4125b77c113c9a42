"""Encoder for training: its forward pass equals the emulator bit for bit, its gradient ignores every floor.

All tensors hold integer codes as float32, which is exact up to 2^24; a spec whose sums may need more is rejected. The
gradients are those of the same arithmetic without cuts and rounding ("straight through"), and zero where a ReLU or a
saturation is flat. Cut products and plain QKeras arithmetic share one code path, driven by the spec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator.encoder import normalise
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec, LayerFormats
from models.trigger_cells import IMAGE_SIZE
from models.weights import EncoderWeights

# isort: split
import tensorflow as tf
import tf_keras

Tensor = Any
_EXACT_BITS = 24
_MANY_TERMS = 32  # measured by `make bench ARGS="-k floored"`


class ExactEncoder(tf_keras.layers.Layer):  # type: ignore[misc]
    """Encoder: image codes (n, 8, 8) of `spec.input` -> latent values (n, outputs), multiples of `spec.latent.lsb`.

    The four variables are real numbers; the forward pass rounds them to the nearest code, half to even. After each
    step, they are clipped to the range of the format, so that no weight gets stuck outside.
    """

    def __init__(self, spec: EncoderSpec, seed: int, **kwargs: Any) -> None:
        """Check the spec; raises ValueError if float32 cannot hold its sums."""
        super().__init__(**kwargs)
        for name, layer, data, terms in (
            ("conv", spec.conv, spec.input, spec.conv.kernel**2), ("dense", spec.dense, spec.conv.output, spec.n_hidden)
        ):
            exact = layer.evolve(product=None).accumulator(data, terms)
            if exact.width > _EXACT_BITS + 1:  # one bit is the sign
                raise ValueError(f"{name}: sums of {exact.width} bits, but training supports at most {_EXACT_BITS + 1}")
        self.spec = spec
        self._seed = seed

    def build(self, input_shape: Any) -> None:
        """Create the variables: He-uniform kernels, zero biases."""
        rng = np.random.default_rng(self._seed)
        self.values: dict[str, Tensor] = {}
        for name, shape in self.spec.weight_shapes.items():
            form = self.spec.weight_formats[name]
            limit = np.sqrt(6 / np.prod(shape[:-1])) if name.endswith("kernel") else 0.0
            start = rng.uniform(-limit, limit, shape).clip(form.min_code * form.lsb, form.max_code * form.lsb)
            self.values[name] = self.add_weight(
                name=name, shape=shape, initializer=tf.constant_initializer(start.astype(np.float32)),
                constraint=_clip_to(form))
        super().build(input_shape)

    def call(self, image: Tensor) -> Tensor:
        """Latents carried by the links."""
        return self.stages(image)["latent_code"] * self.spec.latent.lsb

    def stages(self, image: Tensor) -> dict[str, Tensor]:
        """Stages of the emulator as float32 codes: conv_sum, hidden_code, dense_sum, output_code and latent_code."""
        spec, conv = self.spec, self.spec.conv
        code = {name: weight_code(self.values[name], form) for name, form in spec.weight_formats.items()}
        patches = tf.image.extract_patches(
            image[..., None], [1, conv.kernel, conv.kernel, 1], [1, conv.stride, conv.stride, 1], [1, 1, 1, 1], "SAME")
        kernel = tf.reshape(code["conv_kernel"], (-1, conv.filters))
        conv_sum = layer_sum(conv, spec.input, patches, kernel, code["conv_bias"])
        hidden = tf.reshape(activate(conv, spec.input, conv_sum), (-1, spec.n_hidden))
        dense_sum = layer_sum(spec.dense, conv.output, hidden, code["dense_kernel"], code["dense_bias"])
        output = activate(spec.dense, conv.output, dense_sum)
        latent = straight_through(output * 2.0 ** (spec.latent_bits - spec.dense.output.width), tf.floor)
        return {"conv_sum": conv_sum, "hidden_code": hidden, "dense_sum": dense_sum, "output_code": output,
                "latent_code": latent}

    def set_codes(self, weights: EncoderWeights) -> None:
        """Set the variables to integer weights."""
        for name, value in weights.values().items():
            self.values[name].assign(value.astype(np.float32))

    def codes(self) -> EncoderWeights:
        """Integer weights as the forward pass sees them.

        Raises InputError naming array and index if a variable is not finite.
        """
        forms = self.spec.weight_formats
        seen = {name: weight_code(self.values[name], form).numpy() * form.lsb for name, form in forms.items()}
        return EncoderWeights.from_values(self.spec, seen, origin=self.name)

    def get_config(self) -> dict[str, Any]:
        """Refuse to be saved by Keras: an encoder is saved as integers."""
        raise NotImplementedError("an encoder is saved as integer weights: codes().save(path)")


def chip_encoder(spec: EncoderSpec, seed: int) -> ExactEncoder:
    """Build an untrained encoder with its variables."""
    encoder = ExactEncoder(spec, seed, name="encoder")
    encoder.build((None, IMAGE_SIZE, IMAGE_SIZE))
    return encoder


def weight_code(value: Tensor, form: FixedPoint) -> Tensor:
    """Codes of real weights: rounded half to even and clipped to the format; the gradient is 1 inside the range."""
    scaled = tf.clip_by_value(value * 2.0**form.fraction_bits, form.min_code, form.max_code)
    return straight_through(scaled, tf.round)


def straight_through(value: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `step(value)` with the gradient of `value`."""
    return value + tf.stop_gradient(step(value) - value)


def layer_sum(layer: LayerFormats, data: FixedPoint, code: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sum of the (cut) products and the bias: code (..., k), weight (k, m), bias (m,) -> (..., m)."""
    fraction_bits = layer.product_fraction_bits(data)
    cut = data.fraction_bits + layer.weight.fraction_bits - fraction_bits
    products = floored_products(code, weight, 2.0**-cut) if cut else tf.matmul(code, weight)
    return products + bias * 2.0 ** (fraction_bits - layer.bias.fraction_bits)


def floored_products(code: Tensor, weight: Tensor, scale: float) -> Tensor:
    """Sum over k of floor(code * weight * scale), with the gradient of the sum of code * weight * scale."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def forward(code: Tensor, weight: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            scaled = upstream * scale
            flat = tf.reshape(code, (-1, tf.shape(weight)[0]))
            to_weight = tf.matmul(flat, tf.reshape(scaled, (-1, tf.shape(weight)[1])), transpose_a=True)
            return tf.matmul(scaled, weight, transpose_b=True), to_weight

        scaled = weight * scale
        if weight.shape[0] >= _MANY_TERMS:
            # (..., 1, k) * (m, k): the sum runs over the last axis, which is contiguous.
            return tf.reduce_sum(tf.floor(code[..., None, :] * tf.transpose(scaled)), axis=-1), gradient
        # (k, 1, n) * (k, m, 1): of a few terms, it is faster to add long rows.
        flat = tf.transpose(tf.reshape(code, (-1, weight.shape[0])))
        total = tf.transpose(tf.reduce_sum(tf.floor(flat[:, None] * scaled[..., None]), axis=0))
        return tf.reshape(total, tf.concat([tf.shape(code)[:-1], weight.shape[1:]], axis=0)), gradient

    return forward(code, weight)


def activate(layer: LayerFormats, data: FixedPoint, total: Tensor) -> Tensor:
    """Apply ReLU, then rounding and limits of the layer's output format; codes in, codes out."""
    form = layer.output
    scaled = tf.nn.relu(total) * 2.0 ** (form.fraction_bits - layer.product_fraction_bits(data))
    rounded = straight_through(scaled, tf.floor if form.rounding == "floor" else tf.round)
    if form.overflow == "saturate":
        return tf.minimum(rounded, form.max_code)
    return straight_through(rounded, lambda code: tf.math.floormod(code, 2.0**form.width))


def _clip_to(form: FixedPoint) -> Callable[[Tensor], Tensor]:
    low, high = form.min_code * form.lsb, form.max_code * form.lsb
    return lambda value: tf.clip_by_value(value, low, high)


def image_codes(spec: EncoderSpec, calq: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float32]:
    """Normalise charges (n, 48) in image order as on the chip: codes (n, 8, 8) as float32."""
    return np.moveaxis(normalise(spec.input, calq.T.astype(np.int64))[2], -1, 0).astype(np.float32)
