"""Hybrid codes, beyond the chip: fewer latents and, in the bits saved, the address of the module's largest cell.

A code uses at most the bits that a link budget gives to 16 latents. The 6-bit address is the first encoder channel with
the largest image code; the value, if sent, consists of the top bits of that image code. All of these are integers, as
on the chip; the decoder sees the latents, the address as 48 inputs of which one is 1, and the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator import encode
from models.arrays import IntArray
from models.config import Config
from models.result import ResultList
from models.spec import EncoderSpec
from models.trigger_cells import N_TRIGGER_CELLS, channel_to_pixel, to_trigger_cells
from models.weights import EncoderWeights
from training.data.dataset import Dataset
from training.fit.fingerprint import fingerprint_of
from training.fit.run import locked
from training.fit.trainer import Trainer
from training.networks.chip_encoder import ExactEncoder
from training.networks.decoder import build_decoder
from training.networks.decoding import decode
from training.physics.emd import emd
from training.physics.evaluation import metrics, shown
from training.results.encoders import HybridCode

# isort: split
import tensorflow as tf

ADDRESS_BITS = 6
RESULT_FILE = "hybrid.json"

Tensor = Any


@dataclass(frozen=True)
class Code:
    """Content of a frame: latents of `latent_bits`, and optionally the address of the largest cell and its value."""

    n_latents: int
    latent_bits: int
    address: bool = False
    value_bits: int = 0

    @property
    def bits(self) -> int:
        """Bits of the code in total."""
        return self.n_latents * self.latent_bits + ADDRESS_BITS * self.address + self.value_bits


def codes(spec: EncoderSpec) -> dict[str, Code]:
    """Codes to compare, none longer than the latents of `spec`: latents alone, with address, with address and value.

    The value gets the remaining bits, or the place of a latent if there are fewer than two, but at most the width of
    the image code.
    """
    bits = spec.latent_bits
    n_latents, left = divmod(spec.dense.outputs * bits - ADDRESS_BITS, bits)
    with_value = (n_latents, left) if left > 1 else (n_latents - 1, left + bits)
    return {
        "latents": Code(spec.dense.outputs, bits),
        "latents and address": Code(n_latents, bits, True),
        "latents, address and value": Code(with_value[0], bits, True, min(with_value[1], spec.input.width)),
    }


class HybridEncoder(ExactEncoder):
    """`ExactEncoder` whose latents are followed by address and value of the largest cell: (n, outputs + 48 [+ 1])."""

    def __init__(self, spec: EncoderSpec, code: Code, seed: int) -> None:
        super().__init__(spec, seed, name="encoder")
        self._code = code

    def call(self, image: Tensor) -> Tensor:
        """Input of the decoder for image codes (n, 8, 8)."""
        cells = tf.gather(tf.reshape(image, (-1, image.shape[1] * image.shape[2])), channel_to_pixel(), axis=1)
        parts = [super().call(image)]
        if self._code.address:
            parts.append(tf.one_hot(tf.argmax(cells, axis=1), N_TRIGGER_CELLS))
        if self._code.value_bits:
            largest = tf.reduce_max(cells, axis=1, keepdims=True)
            parts.append(tf.floor(largest / self._cut) * self._cut * self.spec.input.lsb)
        return tf.concat(parts, axis=1)

    @property
    def _cut(self) -> float:
        return float(2 ** (self.spec.input.width - self._code.value_bits))


def build(config: Config, code: Code) -> tuple[HybridEncoder, Any]:
    """Build untrained encoder and decoder of a code; `config` has the latents of the code."""
    spec, training = config.encoder, config.training
    encoder = HybridEncoder(spec, code, training.seed)
    encoder.build((None, 8, 8))
    n_inputs = spec.dense.outputs + N_TRIGGER_CELLS * code.address + bool(code.value_bits)
    return encoder, build_decoder(_with_outputs(spec, n_inputs), training.decoder, training.seed)


def _with_outputs(spec: EncoderSpec, outputs: int) -> EncoderSpec:
    return spec.evolve(dense={"outputs": outputs})


def received(spec: EncoderSpec, code: Code, weights: EncoderWeights, calq: IntArray) -> tuple[IntArray, Any]:
    """Module sums (n,) and inputs of the decoder (n, ...), from the integers of the NumPy emulator."""
    trace = encode(weights, calq, keep=["module_sum", "latent_code", "image_code"])
    cells = trace["image_code"].reshape(len(calq), -1)[:, channel_to_pixel()]
    parts = [spec.latent.value(trace["latent_code"])]
    if code.address:
        parts.append(np.eye(N_TRIGGER_CELLS)[cells.argmax(axis=1)])
    if code.value_bits:
        cut = spec.input.width - code.value_bits
        parts.append((cells.max(axis=1, keepdims=True) >> cut << cut) * spec.input.lsb)
    return trace["module_sum"], np.concatenate(parts, axis=1).astype(np.float32)


def compare(config: Config, output: Path, report: Callable[[str], None] = lambda _text: None) -> list[HybridCode]:
    """Train all `codes` on the same rows, evaluate them on the held-out ones, and write `hybrid.json`.

    Codes that it already holds, with the same configuration and charges, are not trained again.
    Raises InputError if another process has locked the folder.
    """
    dataset = Dataset.from_config(config)
    with locked(output):
        return _compare(config, dataset, output, report)


def _compare(
    config: Config, dataset: Dataset, output: Path, report: Callable[[str], None]
) -> list[HybridCode]:
    test = dataset.test.calq
    path = output / RESULT_FILE
    kept = ResultList[HybridCode].find(path)
    known = {row.fingerprint: row for row in kept.rows} if kept else {}
    rows = []
    for name, code in codes(config.encoder).items():
        chosen = config.evolve(encoder=_with_outputs(config.encoder, code.n_latents))
        fingerprint = f"{fingerprint_of(chosen, dataset.digest)}/{code.address:d}/{code.value_bits}"
        if fingerprint not in known:
            trainer = Trainer(chosen, *build(chosen, code), dataset)
            trainer.fit()
            module_sum, seen = received(chosen.encoder, code, trainer.encoder.codes(), test)
            found = metrics(test, emd(to_trigger_cells(test), decode(trainer.decoder, seen, module_sum)))
            known[fingerprint] = HybridCode(code=name, **asdict(code), bits=code.bits, epochs=trainer.epoch,
                                            fingerprint=fingerprint, **dict(found))
            ResultList[HybridCode](tuple(known.values())).save(path)
        rows.append(known[fingerprint])
        report(f"{name}: {code.bits} bits, mean EMD {shown(rows[-1].emd_mean)}")
    return rows
