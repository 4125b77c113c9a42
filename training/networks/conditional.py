"""Decoder of the conditional autoencoder of 2025, as the reference to beat: its layers, with our normalisation.

Dense layers of 24, 64 and 128 with ReLU, reshaped to 4x4x8, a transposed convolution 3x3 of stride 2, cut to the 8x8
image, ReLU. The 48 cells of the image are scaled to a sum of 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.trigger_cells import IMAGE_SIZE, N_TRIGGER_CELLS, channel_to_pixel, image_order
from training.networks.decoder_file import CAE_FILTERS, CAE_KERNEL, CAE_SIDE, CAE_UNITS

# isort: split
import tensorflow as tf
import tf_keras

_FLOOR = 1e-6  # of every cell, so that a map without charge can be scaled and trained

Tensor = Any


class CellFractions(tf_keras.layers.Layer):  # type: ignore[misc]
    """Image (n, 8, 8) -> fractions (n, 48) in trigger-cell order, which sum to 1."""

    def call(self, image: Tensor) -> Tensor:
        """Take the cells out of the image and scale them."""
        pixel = np.empty(N_TRIGGER_CELLS, np.int64)
        pixel[image_order()] = channel_to_pixel()
        cells = tf.gather(tf.reshape(image, (-1, IMAGE_SIZE**2)), pixel, axis=1) + _FLOOR
        return cells / tf.reduce_sum(cells, axis=1, keepdims=True)


def conditional_fractions(x: Tensor, seed: int) -> Tensor:
    """Fractions (n, 48) from the inputs (n, k) of the decoder."""
    layers = tf_keras.layers
    for index, units in enumerate(CAE_UNITS):
        initial = tf_keras.initializers.GlorotUniform(seed=1000 * seed + index)
        x = layers.Dense(units, activation="relu", kernel_initializer=initial, name=f"dense_{index}")(x)
    x = layers.Reshape((CAE_SIDE, CAE_SIDE, CAE_FILTERS), name="image")(x)
    initial = tf_keras.initializers.GlorotUniform(seed=1000 * seed + len(CAE_UNITS))
    x = layers.Conv2DTranspose(1, CAE_KERNEL, strides=2, kernel_initializer=initial, name="transposed")(x)
    x = layers.ReLU(name="charge")(x[:, :IMAGE_SIZE, :IMAGE_SIZE, 0])
    return CellFractions(name="decoder_output")(x)
