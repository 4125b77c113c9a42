"""Frozen graphs that fulfil the contract of the experiment's software.

Each graph has one placeholder, its first node, and one output, its last node; their names are equal in all graphs. The
encoder takes (n, 8, 8, 1) image codes over 128 and gives 16 latents. The decoder takes 16 latents and, if it sees more,
the eight conditions of `training.networks.conditions`, and gives 64 values in image order.

The software adds half a CALQ to every cell whose value is above 0, as its front end truncated the charges. So a decoder
that knows the module sum gives charges less this half, which restores the sum exactly, and an exact 0 where there is
less charge than `ZERO_CALQ` plus a fraction of the module sum: a softmax alone is never 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator.codes import FINE_SUM
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, IMAGE_SIZE, IMAGE_TO_TC, N_TRIGGER_CELLS
from models.weights import EncoderWeights
from training.networks.chip_encoder import chip_encoder
from training.networks.conditions import COLUMNS, N_CONDITIONS
from training.networks.decoder import context_width

# isort: split
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

ENCODER_INPUT, ENCODER_OUTPUT = "input_1", "encoded_vector/Relu"
DECODER_INPUT, DECODER_OUTPUT = "decoder_input", "decoder_output/Sigmoid"
HALF_CALQ = 0.5
ZERO_CALQ = 0.5
"""Cells with less charge than this are empty: charges are whole numbers."""

Tensor = Any


class SoftwareEncoder(tf.Module):  # type: ignore[misc]
    """Encoder: image codes over 128, (n, 8, 8, 1) -> latents (n, outputs) as the links carry them."""

    names = (ENCODER_INPUT, ENCODER_OUTPUT)

    def __init__(self, spec: EncoderSpec, weights: EncoderWeights) -> None:
        """Use these weights of the spec."""
        super().__init__(name="encoder")
        self._encoder = chip_encoder(spec, seed=0)
        self._encoder.set_codes(weights)
        self._input = spec.input
        self.signature = [tf.TensorSpec((None, IMAGE_SIZE, IMAGE_SIZE, 1), tf.float32, name=ENCODER_INPUT)]
        self.function = tf.function(self._run, input_signature=self.signature)

    def _run(self, image: Tensor) -> Tensor:
        # The upstream software gives steps of 1/256, up to 2; the chip's normaliser truncates to codes.
        code = tf.minimum(tf.floor(image[..., 0] * 2.0**self._input.fraction_bits), self._input.max_code)
        return tf.identity(self._encoder(code), name=ENCODER_OUTPUT)


class SoftwareDecoder(tf.Module):  # type: ignore[misc]
    """Decoder: latents and conditions (n, 24), or latents (n, 16) -> charges or fractions (n, 64) in image order."""

    names = (DECODER_INPUT, DECODER_OUTPUT)

    def __init__(self, decoder: Any, n_inputs: int, zero_fraction: float) -> None:
        """Use this tf_keras model; with 24 inputs, the outputs are charges in CALQ less half a CALQ."""
        super().__init__(name="decoder")
        self._decoder, self._zero_fraction = decoder, zero_fraction
        self._n_latents = decoder.inputs[0].shape[-1]
        self._absolute = n_inputs > self._n_latents
        flat = IMAGE_TO_TC.ravel()
        self._pixels = np.where(flat < 0, N_TRIGGER_CELLS, flat)  # of 48 cells and one that is always empty
        self.signature = [tf.TensorSpec((None, n_inputs), tf.float32, name=DECODER_INPUT)]
        self.function = tf.function(self._run, input_signature=self.signature)

    def _run(self, inputs: Tensor) -> Tensor:
        latent = inputs[:, : self._n_latents]
        if not self._absolute:
            cells = with_zeros(self._decoder(latent), self._zero_fraction)
        else:
            seen = inputs[:, self._n_latents :]
            module_sum = tf.round(tf.exp(seen[:, COLUMNS["sum"]]) - 1.0)
            context = tf.concat([sum_context(module_sum), seen], axis=1)[:, : context_width(self._decoder)]
            fractions = self._decoder([latent, context] if len(self._decoder.inputs) > 1 else latent)
            cells = with_sum(fractions * module_sum, module_sum, self._zero_fraction)
        padded = tf.pad(cells, [[0, 0], [0, 1]])
        return tf.identity(tf.gather(padded, self._pixels, axis=1), name=DECODER_OUTPUT)


def sum_context(module_sum: Tensor) -> Tensor:
    """Compute `training.networks.decoder.context` in the graph: whole module sums (n, 1) -> (n, 2)."""
    powers = tf.constant(2.0 ** np.arange(1, CALQ_BITS + 1), tf.float32)
    carried = tf.maximum(module_sum, 1.0)
    exponent = tf.reduce_sum(tf.cast(carried >= powers, tf.float32), axis=1, keepdims=True)
    step = tf.pow(2.0, tf.maximum(exponent - FINE_SUM.mantissa_bits, 0.0))
    middle = (tf.floor(carried / step) + tf.where(step > 1.0, 0.5, 0.0)) * step
    logarithm = tf.math.log(middle) / tf.math.log(2.0)
    return tf.concat([logarithm / 8 - 1, logarithm - exponent - 0.5], axis=1)


def with_zeros(fractions: Tensor, least: float) -> Tensor:
    """Set cells below the fraction `least` to 0, except the largest, and scale the others to the same sum."""
    largest = tf.one_hot(tf.argmax(fractions, axis=1), N_TRIGGER_CELLS)
    kept = tf.where((fractions >= least) | (largest > 0), fractions, 0.0)
    return kept / tf.reduce_sum(kept, axis=1, keepdims=True)


def with_sum(charge: Tensor, module_sum: Tensor, least: float) -> Tensor:
    """Set empty cells to 0 and take half a CALQ off the others, so that adding it restores the module sum.

    charge: (n, 48) in CALQ, module_sum: (n, 1). A module with charge keeps at least its largest cell.
    """
    largest = tf.one_hot(tf.argmax(charge, axis=1), N_TRIGGER_CELLS)
    kept = tf.where((charge >= ZERO_CALQ + least * module_sum) | (largest > 0), charge, 0.0)
    scaled = kept * (module_sum / tf.maximum(tf.reduce_sum(kept, axis=1, keepdims=True), 1e-9))
    less = tf.nn.relu(scaled - HALF_CALQ)
    n_cells = tf.reduce_sum(tf.cast(less > 0, tf.float32), axis=1, keepdims=True)
    total = tf.reduce_sum(less, axis=1, keepdims=True)
    rest = tf.nn.relu(module_sum - HALF_CALQ * tf.maximum(n_cells, 1.0))
    return tf.where(n_cells > 0, less * (rest / tf.maximum(total, 1e-9)), largest * rest)


def frozen(module: SoftwareEncoder | SoftwareDecoder) -> Any:
    """Frozen graph of a module: only the nodes that its output needs, the placeholder first and the output last.

    Raises RuntimeError if the graph has any other placeholder, or calls functions.
    """
    first, last = module.names
    whole = convert_variables_to_constants_v2(module.function.get_concrete_function()).graph.as_graph_def()
    definition = tf.compat.v1.graph_util.extract_sub_graph(whole, [last])
    nodes = sorted(definition.node, key=lambda node: (node.name == last) - (node.name == first))
    del definition.node[:]
    definition.node.extend(nodes)
    placeholders = [node.name for node in nodes if node.op.startswith("Placeholder")]
    if placeholders != [first] or nodes[-1].name != last or len(definition.library.function):
        raise RuntimeError(f"graph with the placeholders {placeholders}, last node {nodes[-1].name} and "
                           f"{len(definition.library.function)} functions, expected {first}, {last} and none")
    return definition


N_INPUTS = {False: 16, True: 16 + N_CONDITIONS}
"""Inputs of a decoder that sees the latents alone, and of one that sees more."""
