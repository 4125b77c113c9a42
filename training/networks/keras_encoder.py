"""Networks of the catalogue other than the chip's, as Keras models with the interface of the chip's encoder."""

from __future__ import annotations

from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator.encoder import normalise
from models.arrays import IntArray
from models.config import Config
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec, LayerFormats
from models.trigger_cells import IMAGE_TO_TC, N_TRIGGER_CELLS
from training.networks.catalogue import Network, arrangement, find
from training.networks.chip_encoder import ExactEncoder, chip_encoder
from training.networks.model_file import check_count, fill, read_model, write_model

# isort: split
import tensorflow as tf
import tf_keras

Tensor = Any

_BATCH = 4096


class NetworkEncoder:
    """Any network as an encoder like `ExactEncoder`: image codes (n, 8, 8) of `spec.input` -> latents (n, outputs).

    The model itself takes the image in its own geometry, with values from 0 to 2 as computed by the normaliser.
    """

    def __init__(self, spec: EncoderSpec, network: Network, model: Any) -> None:
        """Wrap the tf_keras model of a network."""
        self.spec, self.network, self.model = spec, network, model
        self.trainable_weights = model.trainable_weights
        self._pixels = _pixels(arrangement(network.image))

    def __call__(self, image: Tensor) -> Tensor:
        """Latents of image codes (n, 8, 8)."""
        flat = tf.reshape(image, (-1, IMAGE_TO_TC.size))
        return self.model(tf.gather(flat, self._pixels, axis=1) * self.spec.input.lsb)

    def encode(self, calq: IntArray) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """Encode charges (n, 48) in image order: module sums (n,) and latents (n, outputs)."""
        module_sum, _, image = normalise(self.spec.input, calq.T.astype(np.int64))
        codes = np.moveaxis(image, -1, 0).astype(np.float32)
        latents = [np.empty((0, self.spec.dense.outputs), np.float32)]
        latents += [self(codes[start : start + _BATCH]).numpy() for start in range(0, len(codes), _BATCH)]
        return module_sum, np.concatenate(latents)

    def codes(self) -> NetworkEncoder:
        """Put every quantised weight on its grid, as the forward pass sees it, and return the encoder itself.

        Raises InputError if a weight is not finite.
        """
        for weight in self.trainable_weights:
            if not np.isfinite(weight.numpy()).all():
                raise InputError(f"encoder: {weight.name} has a value that is not finite")
        for layer in self.model.layers:
            if hasattr(layer, "get_quantizers") and layer.trainable_weights:
                for quantizer, weight in zip(layer.get_quantizers(), layer.trainable_weights, strict=False):
                    weight.assign(quantizer(weight))
        return self

    def save(self, path: Path) -> None:
        """Write `network.npz`."""
        write_model(path, _size(self.spec, self.network), self.model.get_weights())


def _size(spec: EncoderSpec, network: Network) -> dict[str, Any]:
    """Parameters that define shapes and arithmetic of a network: all except the loss."""
    size = {**asdict(network), "hidden": list(network.hidden), "outputs": spec.dense.outputs, "digest": spec.digest()}
    del size["loss"]
    return size


def training_encoder(config: Config) -> ExactEncoder | NetworkEncoder:
    """Build the untrained encoder of a configuration: the chip's, unless `training.network` names another.

    Examples:
        >>> from models import Config
        >>> from training.networks import training_encoder
        >>> type(training_encoder(Config.load("econ_t_5elink"))).__name__
        'ExactEncoder'
    """
    spec, seed = config.encoder, config.training.seed
    if config.training.network:
        _, network = find(config.training.network)
        return NetworkEncoder(spec, network, build(spec, network, seed))
    return chip_encoder(spec, seed)


def load(path: Path, config: Config) -> NetworkEncoder:
    """Read `network.npz` of a run with that configuration; raises InputError if it does not fit."""
    if not config.training.network:
        raise InputError(f"{path}: configuration {config.name} does not set training.network; "
                         "use the configuration of the run")
    _, network = find(config.training.network)
    found, weights = read_model(path, "an encoder")
    expected = _size(config.encoder, network)
    different = next((key for key in (*expected, *found) if found.get(key) != expected.get(key)), None)
    if different is not None:
        raise InputError(f"{path}: network with {different[:40]} {str(found.get(different))[:40]}, expected "
                         f"{expected.get(different)} of {config.training.network}")
    model = build(config.encoder, network, 0)
    check_count(path, weights, model.count_params(), config.training.network)
    fill(model, weights)
    return NetworkEncoder(config.encoder, network, model)


def build(spec: EncoderSpec, network: Network, seed: int) -> Any:
    """Build a tf_keras model of standard layers, or of QKeras layers in the formats of `spec`: image -> latents."""
    layers = tf_keras.layers
    seeds = count(1000 * seed)

    def weighted(kind: str, form: LayerFormats, *size: int, **options: Any) -> Any:
        options |= {"kernel_initializer": tf_keras.initializers.HeUniform(seed=next(seeds))}
        if network.formats == "float":
            return getattr(layers, kind)(*size, **options)
        return getattr(_qkeras(), f"Q{kind}")(*size, kernel_quantizer=form.weight.as_qkeras(),
                                              bias_quantizer=form.bias.as_qkeras(), **options)

    def activation(form: FixedPoint, name: str) -> Any:
        if network.formats == "float":
            return layers.ReLU(name=name)
        return _qkeras().QActivation(form.as_qkeras(), name=name)

    x = image = layers.Input(arrangement(network.image).shape, name="image")
    if network.filters:
        x = weighted("Conv2D", spec.conv, network.filters, 3, strides=network.stride, padding=network.padding,
                     name="conv")(x)
        if network.pool:
            x = layers.MaxPooling2D(2, name="pool")(x)
        x = layers.Flatten(name="flatten")(activation(spec.conv.output, "hidden")(x))
    for index, units in enumerate(network.hidden):
        x = weighted("Dense", spec.dense, units, name=f"dense_{index}")(x)
        x = activation(spec.conv.output, f"hidden_{index}")(x)  # as after a convolution: only latents are sent
    x = weighted("Dense", spec.dense, spec.dense.outputs, name="dense")(x)
    return tf_keras.Model(image, activation(spec.latent, "encoded_vector")(x), name="encoder")


def _qkeras() -> Any:
    import qkeras  # noqa: PLC0415  (takes 1.5 s, and neither float networks nor the chip's encoder need it)

    return qkeras


def _pixels(cells: IntArray) -> npt.NDArray[np.int64]:
    """Position of each trigger cell in the flat 8x8 image; the last pixel, which is always zero, stands for -1."""
    pixel = np.full(N_TRIGGER_CELLS + 1, IMAGE_TO_TC.size - 1)
    flat = IMAGE_TO_TC.ravel()
    pixel[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
    return pixel[cells]
