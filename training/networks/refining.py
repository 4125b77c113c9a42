"""Refining decoder: encodes its guess of the charge map with the known encoder, and corrects it by the difference.

The frame carries the module sum, which gives a guess the scale of the encoder's input: each guess is normalised to an
image, and the encoder, with the weights and the cuts of the chip, computes the latents that would have been sent. In
each step, a small network compares them with the received latents and corrects the logits of the guess. Such a learned
iteration is an unrolled solver of an inverse problem (Gregor and LeCun, ICML 2010).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.config import DecoderConfig
from models.cost import macs_in_image
from models.trigger_cells import IMAGE_SIZE, N_TRIGGER_CELLS, channel_to_pixel, image_order
from training.networks.chip_encoder import ExactEncoder, straight_through
from training.networks.decoder_file import CORRECTION_LAYERS

# isort: split
import tensorflow as tf
import tf_keras

EARLY_WEIGHT = 0.3
"""Weight in the loss of each guess except the last."""

# Scales that bring the features of a correction to about 1: differences of latents are small, hidden codes have 8 bits.
_DIFFERENCE_SCALE, _FRACTION_SCALE, _HIDDEN_SCALE = 8.0, 4.0, 1 / 64
_SMALLEST = 1e-8  # keeps the square root of an empty cell differentiable

Tensor = Any


class EncodedGuess(tf_keras.layers.Layer):  # type: ignore[misc]
    """Encoder of guesses: charge fractions (n, 48) and context (n, 2) -> latents (n, outputs) and hidden codes."""

    def __init__(self, encoder: ExactEncoder, **kwargs: Any) -> None:
        """Use this encoder."""
        super().__init__(**kwargs)
        self.encoder = encoder
        place = np.zeros((N_TRIGGER_CELLS, IMAGE_SIZE**2), np.float32)
        place[image_order(), channel_to_pixel()] = 1
        self._place = tf.constant(place)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one guess."""
        return sum(macs_in_image(self.encoder.spec))

    def call(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Encode a guess; the gradient ignores all floors."""
        fractions, context = inputs
        spec = self.encoder.spec
        # The second value of the context is log2 of the sum over its power of two, minus one half.
        scale = tf.pow(2.0, context[:, 1:2] + 0.5 + spec.input.fraction_bits)
        code = tf.minimum(straight_through(fractions * scale, tf.floor), spec.input.max_code)
        stages = self.encoder.stages(tf.reshape(tf.matmul(code, self._place), (-1, IMAGE_SIZE, IMAGE_SIZE)))
        return stages["latent_code"] * spec.latent.lsb, stages["hidden_code"] * _HIDDEN_SCALE


def refined(
    encoder: ExactEncoder, latent: Tensor, context: Tensor, logits: Tensor, options: DecoderConfig, seed: int
) -> list[Tensor]:
    """Charge fractions (n, 48) of the first guess, with these logits, and after each correction."""
    layers = tf_keras.layers
    corrections = [_correction(options, seed + step, f"correction_{step}")
                   for step in range(1 if options.share else options.refinements)]
    guesses = [layers.Softmax(name="guess_0")(logits)]
    for step in range(options.refinements):
        fractions = guesses[-1]
        found, hidden = EncodedGuess(encoder, name=f"encoded_{step}")((fractions, context))
        features = tf.concat([latent, (latent - found) * _DIFFERENCE_SCALE, context, fractions * _FRACTION_SCALE,
                              tf.sqrt(fractions + _SMALLEST), hidden], axis=-1)
        logits = layers.Add(name=f"logits_{step + 1}")([logits, corrections[step % len(corrections)](features)])
        last = step + 1 == options.refinements
        guesses.append(layers.Softmax(name="decoder_output" if last else f"guess_{step + 1}")(logits))
    return guesses


def _correction(options: DecoderConfig, seed: int, name: str) -> Any:
    """Correction of the logits (n, 48): dense layers with ReLU, the later ones residual."""
    layers = tf_keras.layers

    def dense(units: int, index: int, **kwargs: Any) -> Any:
        initial = tf_keras.initializers.GlorotUniform(seed=1000 * seed + 500 + index)
        return layers.Dense(units, kernel_initializer=initial, name=f"{name}_{index}", **kwargs)

    parts = [dense(options.refinement_width, index, activation="relu") for index in range(CORRECTION_LAYERS)]
    last = dense(N_TRIGGER_CELLS, CORRECTION_LAYERS)

    def run(features: Tensor) -> Tensor:
        x = parts[0](features)
        for part in parts[1:]:
            x = x + part(x)
        return last(x)

    return run
