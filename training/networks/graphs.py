"""Export of trained models for other programs: SavedModel folders, frozen graphs and ONNX, checked after writing.

The outputs have the names that existing programs look for, whatever operation computes them: `encoded_vector/Relu` for
the encoder, `decoder_output/Sigmoid` for the decoder.
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
from training.networks.chip_encoder import ExactEncoder

# isort: split
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

ENCODER_OUTPUT = "encoded_vector/Relu"
DECODER_OUTPUT = "decoder_output/Sigmoid"
DECODER_ERROR = 1e-5
"""Maximum difference of decoded charge fractions between the model and its files."""

_OPSET = 17  # of 2022: old enough for all current ONNX programs, new enough for the models

Tensor = Any


class EncoderModule(tf.Module):  # type: ignore[misc]
    """Encoder: image (n, 8, 8, 1), values of `spec.input` -> latent values (n, outputs), in the spec's arithmetic."""

    def __init__(self, spec: EncoderSpec, weights: EncoderWeights) -> None:
        """Use these weights of the spec."""
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
    """Decoder: latent (n, outputs) and, if it sees the sum, context (n, 2) -> charge fractions (n, 48)."""

    def __init__(self, decoder: Any) -> None:
        """Use this tf_keras model."""
        super().__init__(name="decoder")
        self._decoder = decoder
        names = ["decoder_input", "context"]
        self.signature = [tf.TensorSpec((None, inp.shape[-1]), tf.float32, name=name)
                          for name, inp in zip(names, decoder.inputs, strict=False)]
        self.function = tf.function(self._run, input_signature=self.signature)

    def _run(self, *inputs: Tensor) -> Tensor:
        return tf.identity(self._decoder(list(inputs) if len(inputs) > 1 else inputs[0]), name=DECODER_OUTPUT)


def export_graphs(spec: EncoderSpec, weights: EncoderWeights, decoder: Any, output: Path) -> None:
    """Write encoder and decoder as SavedModel folder, frozen graph (.pb) and ONNX, and read each back to compare.

    Raises RuntimeError if the outputs of a file differ from those of the model: the encoder must agree bit for bit, the
    decoder, whose floating-point sums depend on their order, within DECODER_ERROR.

    Examples:
        >>> from pathlib import Path
        >>> from models import Config, load_weights
        >>> from training.networks import build_decoder, export_graphs
        >>> config = Config.load("econ_t_5elink").override(training={"decoder": {"width": 16, "refinements": 0}})
        >>> decoder = build_decoder(config.encoder, config.training.decoder, seed=1)
        >>> export_graphs(config.encoder, load_weights("econ_t_5elink"), decoder, Path("graphs"))
        >>> sorted(file.name for file in Path("graphs").iterdir())
        ['decoder', 'decoder.onnx', 'decoder.pb', 'encoder', 'encoder.onnx', 'encoder.pb']
    """
    rng = np.random.default_rng(1)
    for module, name, output_name, error in (
        (EncoderModule(spec, weights), "encoder", ENCODER_OUTPUT, 0.0),
        (DecoderModule(decoder), "decoder", DECODER_OUTPUT, DECODER_ERROR),
    ):
        inputs = [tf.constant(rng.integers(0, 128, (64, *shape.shape[1:])) / 128, tf.float32)
                  for shape in module.signature]
        expected = module.function(*inputs).numpy()
        with atomic_directory(output / name, guarded=True) as folder:
            tf.saved_model.save(module, str(folder), signatures=module.function)
            served = tf.saved_model.load(str(folder)).signatures["serving_default"]
            found = served(**{spec.name: value for spec, value in zip(module.signature, inputs, strict=True)})
            _check(output / name, next(iter(found.values())).numpy(), expected, error)
        frozen = convert_variables_to_constants_v2(module.function.get_concrete_function())
        with atomic_path(output / f"{name}.pb") as temporary:
            temporary.write_bytes(frozen.graph.as_graph_def().SerializeToString())
            _check(output / f"{name}.pb", run_frozen(temporary, module.signature, inputs, output_name), expected, error)
        with atomic_path(output / f"{name}.onnx") as temporary:
            temporary.write_bytes(to_onnx(frozen.graph.as_graph_def(), module.signature, output_name))
            _check(output / f"{name}.onnx", run_onnx(temporary, module.signature, inputs, output_name), expected, error)
        logging.getLogger(__name__).info("%s: %s.pb, %s.onnx and folder %s, output %s, equal after reading back",
                                         output, name, name, name, output_name)


def to_onnx(definition: Any, signature: list[Any], output_name: str) -> bytes:
    """Convert a frozen graph to ONNX with the same names of inputs and output."""
    import tf2onnx  # noqa: PLC0415  (slow, and only for the export)

    tf.get_logger().setLevel(logging.ERROR)  # it warns that tf2onnx uses TensorFlow 1 functions
    model, _ = tf2onnx.convert.from_graph_def(
        definition, input_names=[f"{spec.name}:0" for spec in signature], output_names=[f"{output_name}:0"],
        opset=_OPSET)
    graph = model.graph
    outside = {value.name: value.name.removesuffix(":0") for value in (*graph.input, *graph.output)}
    for value in (*graph.input, *graph.output):
        value.name = outside[value.name]
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [outside.get(name, name) for name in names]
    return bytes(model.SerializeToString())


def run_onnx(path: Path, signature: list[Any], inputs: list[Tensor], output_name: str) -> np.ndarray:
    """Run an ONNX file by the names of its inputs and output."""
    import onnxruntime  # noqa: PLC0415  (slow, and only for the export)

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    feed = {spec.name: value.numpy() for spec, value in zip(signature, inputs, strict=True)}
    result: np.ndarray = session.run([output_name], feed)[0]
    return result


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


def _check(path: Path, found: np.ndarray, expected: np.ndarray, error: float) -> None:
    if found.shape != expected.shape or not (np.abs(found - expected) <= error).all():
        raise RuntimeError(f"{path}: its outputs, after reading it back, differ from those of the model")
