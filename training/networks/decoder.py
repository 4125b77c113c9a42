"""Decoder, off the detector and in floating point, from the latents and the module sum of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator.codes import FINE_SUM, bit_length
from models.arrays import FloatArray
from models.config import DecoderConfig
from models.errors import InputError
from models.spec import EncoderSpec
from models.trigger_cells import N_TRIGGER_CELLS
from models.weights import EncoderWeights
from training.networks.chip_encoder import ExactEncoder, chip_encoder
from training.networks.conditional import conditional_fractions
from training.networks.conditions import N_CONDITIONS, Columns, conditions, used_columns
from training.networks.decoder_file import SUM_CONTEXT, read_decoder
from training.networks.model_file import fill, write_model
from training.networks.refining import EARLY_WEIGHT, EncodedGuess, refined

# isort: split
import tensorflow as tf
import tf_keras

_MEMBER_SEEDS = 1 << 16  # apart from each other and from the small seeds of runs

_BATCH = 4096
_LEAST = 1e-9  # of a sum of fractions, so that none is divided by 0


def build_decoder(spec: EncoderSpec, options: DecoderConfig, seed: int, encoder: ExactEncoder | None = None) -> Any:
    """Build a tf_keras model: latent (n, outputs) [and, if it sees more, context (n, 2)] -> fractions (n, 48).

    With `conditions`, the context is (n, 10): that of the sum, followed by all eight conditions.

    Charge fractions are in trigger-cell order. Dense layers with ReLU, the later ones residual, are followed by a
    softmax, so that fractions sum to 1. Several `members` differ only in their seed, and their fractions are averaged:
    the EMD of a mean is at most the mean of the EMDs. With `refinements`, the model contains `encoder` (default: a new
    one) and its weights.

    Examples:
        >>> from models import Config
        >>> from training.networks import build_decoder
        >>> config = Config.load("econ_t_5elink").override(training={"decoder": {"width": 32, "refinements": 0}})
        >>> build_decoder(config.encoder, config.training.decoder, seed=1).output_shape
        (None, 48)
    """
    layers = tf_keras.layers
    inputs = [layers.Input((spec.dense.outputs,), name="latent")]
    if options.sees_sum or options.conditions:
        inputs.append(layers.Input((SUM_CONTEXT + (N_CONDITIONS if options.conditions else 0),), name="context"))
    x, modulation = _seen(inputs, options)
    if options.architecture == "cae":
        return tf_keras.Model(inputs, conditional_fractions(x, seed), name="decoder")
    logits = [_logits(x, options, seed + _MEMBER_SEEDS * k, f"_{k}" if k else "", modulation)
              for k in range(options.members)]
    if options.refinements:
        latent, seen = inputs  # refinements need the sum: see DecoderConfig
        seen = seen[:, :SUM_CONTEXT] if options.conditions else seen
        outputs = refined(encoder or chip_encoder(spec, seed), latent, seen, logits[0], options, seed)
        return tf_keras.Model(inputs, outputs[-1], name="decoder")
    members = [layers.Softmax(name=f"decoder_output{f'_{k}' if k else ''}")(part) for k, part in enumerate(logits)]
    output = layers.Average(name="mean")(members) if len(members) > 1 else members[0]
    return tf_keras.Model(inputs, output, name="decoder")


def _seen(inputs: list[Any], options: DecoderConfig) -> tuple[Any, Any | None]:
    """What the first layer sees of the inputs, and the conditions that modulate each layer (with `film`)."""
    layers = tf_keras.layers
    if not options.conditions:
        return (layers.Concatenate(name="inputs")(inputs) if len(inputs) > 1 else inputs[0]), None
    latent, seen = inputs
    parts = [latent, *([seen[:, :SUM_CONTEXT]] if options.sees_sum else [])]
    places = used_columns(options.conditions)
    chosen = layers.Concatenate(name="conditions")([seen[:, SUM_CONTEXT + k : SUM_CONTEXT + k + 1] for k in places])
    if not options.film:
        parts.append(chosen)
    x = layers.Concatenate(name="inputs")(parts) if len(parts) > 1 else latent
    return x, chosen if options.film else None


def _logits(x: Any, options: DecoderConfig, seed: int, suffix: str, modulation: Any | None = None) -> Any:
    """Logits (n, 48); `modulation` (n, k) scales and shifts the units of each layer, at first by 1 and 0."""
    layers = tf_keras.layers

    def dense(units: int, index: int, name: str, **kwargs: Any) -> Any:
        initial = tf_keras.initializers.GlorotUniform(seed=1000 * seed + index)
        return layers.Dense(units, kernel_initializer=initial, name=name + suffix, **kwargs)

    def modulated(units: Any, index: int) -> Any:
        if modulation is None:
            return units
        scale, shift = (layers.Dense(options.width, kernel_initializer="zeros", name=f"{name}_{index}{suffix}")(
            modulation) for name in ("film_scale", "film_shift"))
        scaled = layers.Multiply(name=f"film_product_{index}{suffix}")([units, scale])
        return layers.Add(name=f"film_{index}{suffix}")([units, scaled, shift])

    x = modulated(dense(options.width, 0, "dense_0", activation="relu")(x), 0)
    for index in range(1, options.layers):
        step = modulated(dense(options.width, index, f"dense_{index}", activation="relu")(x), index)
        x = layers.Add(name=f"add_{index}{suffix}")([x, step])
    return dense(N_TRIGGER_CELLS, options.layers, "logits")(x)


@dataclass(frozen=True)
class TrainedOutputs:
    """Outputs of a decoder that have a loss during training, all (n, 48) fractions, with the weights of their losses.

    They are the members before averaging, or the guesses of a refinement, of which only the last changes to the final
    loss.
    """

    model: Any
    weights: tuple[float, ...]
    final: tuple[bool, ...]

    @classmethod
    def of(cls, decoder: Any) -> TrainedOutputs:
        """Find the outputs of a decoder, as a model with the inputs of the decoder."""
        last = decoder.layers[-1]
        if last.name == "mean":
            n = len(last.input)
            return cls(tf_keras.Model(decoder.inputs, last.input), (1 / n,) * n, (True,) * n)
        guesses = [layer.output for layer in decoder.layers if layer.name.startswith("guess_")]
        n = len(guesses)
        return cls(tf_keras.Model(decoder.inputs, [*guesses, decoder.output]),
                   (EARLY_WEIGHT,) * n + (1.0,), (False,) * n + (True,))


def context(module_sum: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float32]:
    """Decoder inputs from the module sum, as the frame carries it in 5E4M: (n,) -> (n, 2) float32.

    They are the logarithm of the sum, and that of its ratio to the power of two by which the chip's normaliser divides.
    """
    carried = np.maximum(FINE_SUM.decode(FINE_SUM.encode(module_sum)), 1)
    exponent = bit_length(carried) - 1
    logarithm = np.log2(carried)
    return np.stack([logarithm / 8 - 1, logarithm - exponent - 0.5], axis=1).astype(np.float32)


class Compiled:
    """A decoder as a graph, for `decode`: faster by a third for many modules, after half a second for one that refines.

    Sums are taken in another order than in the model itself; the cuts of a refining decoder turn that into differences
    of up to 0.01 of the module sum, in either direction.
    """

    def __init__(self, model: Any) -> None:
        """Compile a tf_keras model; later changes of its weights count."""
        self.inputs = model.inputs
        signature = [tf.TensorSpec(part.shape, tf.float32) for part in model.inputs]
        graph = tf.function(lambda *inputs: model(list(inputs)), input_signature=signature)
        self._call = graph.get_concrete_function()

    def __call__(self, inputs: list[Any]) -> Any:
        """Charge fractions, (n, 48)."""
        return self._call(*map(tf.constant, inputs))


def network_fractions(
    decoder: Any, latent_value: FloatArray, module_sum: npt.NDArray[np.integer[Any]], columns: Columns
) -> FloatArray:
    """Charge fractions (n, 48) by a decoder in floating point, as `training.networks.decoding.decode` has them."""
    inputs = [np.asarray(latent_value, np.float32)]
    if len(decoder.inputs) > 1:
        inputs.append(seen_context(module_sum, columns, context_width(decoder)))
    # Called directly: decoder.predict creates a data set, about which TensorFlow complains after a training.
    fractions = [np.empty((0, N_TRIGGER_CELLS), np.float32)]
    for start in range(0, len(latent_value), _BATCH):
        fractions.append(np.asarray(decoder([part[start : start + _BATCH] for part in inputs])))
    found = np.concatenate(fractions)
    if "cells" in columns:
        found = np.where(columns["cells"], found, np.float32(0))
        found /= np.maximum(found.sum(axis=1, keepdims=True), _LEAST)
    return found


def context_width(decoder: Any) -> int:
    """Width of the second input of a decoder; 0 if it sees the latents alone."""
    return int(decoder.inputs[1].shape[-1]) if len(decoder.inputs) > 1 else 0


def seen_context(
    module_sum: npt.NDArray[np.integer[Any]], columns: Columns, width: int
) -> npt.NDArray[np.float32]:
    """Second input of a decoder, (n, width): the context of the sum, and the eight conditions if it sees them."""
    of_sum = context(module_sum)
    return of_sum if width == SUM_CONTEXT else np.concatenate([of_sum, conditions(module_sum, columns)], axis=1)


def save_decoder(
    decoder: Any, options: DecoderConfig, path: Path, half: bool = False, encoder: str | None = None
) -> None:
    """Write a decoder built with these options; `half` stores its weights in half precision.

    `encoder`: digest of the weights that it was trained with.

    Examples:
        >>> from pathlib import Path
        >>> from models import Config
        >>> from training.networks import build_decoder, load_decoder, save_decoder
        >>> config = Config.load("econ_t_5elink").override(training={"decoder": {"width": 32, "refinements": 0}})
        >>> spec, options = config.encoder, config.training.decoder
        >>> save_decoder(build_decoder(spec, options, seed=1), options, Path("decoder.npz"))
        >>> load_decoder(Path("decoder.npz"), spec).output_shape
        (None, 48)
    """
    size = {"latents": decoder.inputs[0].shape[-1], **({"encoder": encoder} if encoder else {}),
            **options.model_dump()}
    write_model(path, size, decoder.get_weights(), np.float16 if half else np.float32)


def load_network(path: Path, spec: EncoderSpec, weights: EncoderWeights | None = None) -> Any:
    """Read a decoder in floating point, as `training.networks.decoding.load_decoder` does."""
    options, values = read_decoder(path, spec)
    decoder = build_decoder(spec, options, 0)
    fill(decoder, values)
    encoder = known_encoder(decoder)
    if weights and encoder and encoder.codes().digest() != weights.digest():
        raise InputError(f"{path}: refines with encoder {encoder.codes().digest()}, expected {weights.digest()}, with "
                         "which it is used; a decoder belongs to the weights of its run")
    return decoder


def known_encoder(decoder: Any) -> ExactEncoder | None:
    """The encoder in a decoder that refines; None in any other."""
    return next((layer.encoder for layer in decoder.layers if isinstance(layer, EncodedGuess)), None)
