"""Trained models as TensorFlow files for other programs: SavedModel folders and frozen graphs, checked after writing.

Names that existing programs look for are kept: the encoder's output is `encoded_vector/Relu`, the decoder's
`decoder_output/Sigmoid`, whatever operation made them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.files import atomic_directory, atomic_path
from models.spec import EncoderSpec
from models.trigger_cells import IMAGE_SIZE
from models.weights import EncoderWeights
from training.layers import ExactEncoder

# isort: split
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

ENCODER_OUTPUT = "encoded_vector/Relu"
DECODER_OUTPUT = "decoder_output/Sigmoid"

Tensor = Any


class EncoderModule(tf.Module):  # type: ignore[misc]
    """image (n, 8, 8, 1), values of `spec.input` -> latent values (n, outputs), through the arithmetic of the spec."""

    def __init__(self, spec: EncoderSpec, weights: EncoderWeights) -> None:
        super().__init__(name="encoder")
        self._encoder = ExactEncoder(spec, seed=0)
        self._encoder.build((None, IMAGE_SIZE, IMAGE_SIZE))
        self._encoder.set_codes(weights)
        self._scale = 2.0**spec.input.fraction_bits
        self.signature = [tf.TensorSpec((None, IMAGE_SIZE, IMAGE_SIZE, 1), tf.float32, name="input_1")]
        self.function = tf.function(self._run, input_signature=self.signature)

    def _run(self, image: Tensor) -> Tensor:
        return tf.identity(self._encoder(image[..., 0] * self._scale), name=ENCODER_OUTPUT)


class DecoderModule(tf.Module):  # type: ignore[misc]
    """latent (n, outputs) and, if the decoder sees the sum, context (n, 2) -> charge fractions (n, 48)."""

    def __init__(self, decoder: Any) -> None:
        super().__init__(name="decoder")
        self._decoder = decoder
        names = ["decoder_input", "context"]
        self.signature = [tf.TensorSpec((None, inp.shape[-1]), tf.float32, name=name)
                          for name, inp in zip(names, decoder.inputs, strict=False)]
        self.function = tf.function(self._run, input_signature=self.signature)

    def _run(self, *inputs: Tensor) -> Tensor:
        return tf.identity(self._decoder(list(inputs) if len(inputs) > 1 else inputs[0]), name=DECODER_OUTPUT)


def export_graphs(spec: EncoderSpec, weights: EncoderWeights, decoder: Any, output: Path) -> None:
    """Write encoder.pb, decoder.pb and the SavedModel folders encoder, decoder; each is read back and compared.

    Raises RuntimeError if a file does not compute what the model does, bit for bit.
    """
    rng = np.random.default_rng(1)
    for module, name, output_name in (
        (EncoderModule(spec, weights), "encoder", ENCODER_OUTPUT), (DecoderModule(decoder), "decoder", DECODER_OUTPUT)
    ):
        inputs = [tf.constant(rng.integers(0, 128, (64, *shape.shape[1:])) / 128, tf.float32)
                  for shape in module.signature]
        expected = module.function(*inputs).numpy()
        with atomic_directory(output / name) as folder:
            tf.saved_model.save(module, str(folder), signatures=module.function)
            served = tf.saved_model.load(str(folder)).signatures["serving_default"]
            found = served(**{spec.name: value for spec, value in zip(module.signature, inputs, strict=True)})
            _check(output / name, next(iter(found.values())).numpy(), expected)
        frozen = convert_variables_to_constants_v2(module.function.get_concrete_function())
        with atomic_path(output / f"{name}.pb") as temporary:
            temporary.write_bytes(frozen.graph.as_graph_def().SerializeToString())
            _check(output / f"{name}.pb", run_frozen(temporary, module.signature, inputs, output_name), expected)
        logging.getLogger(__name__).info("%s: %s.pb and folder %s, output %s, equal after reading back",
                                         output, name, name, output_name)


def run_frozen(path: Path, signature: list[Any], inputs: list[Tensor], output_name: str) -> np.ndarray:
    """Run a frozen graph by the names of its inputs and output."""
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    feed = {f"{spec.name}:0": value.numpy() for spec, value in zip(signature, inputs, strict=True)}
    with tf.compat.v1.Session(graph=graph) as session:
        result: np.ndarray = session.run(f"{output_name}:0", feed)
    return result


def _check(path: Path, found: np.ndarray, expected: np.ndarray) -> None:
    if found.shape != expected.shape or not (found == expected).all():
        raise RuntimeError(f"{path}: read back, it does not compute what was written")
