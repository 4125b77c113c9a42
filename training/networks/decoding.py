"""Decoders of both kinds, read and run: a compact one is integers, one in floating point starts TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import shipped
from models.arrays import FloatArray
from models.compact_decoder import CompactDecoder
from models.errors import InputError
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.networks.compact import compact_fractions
from training.networks.conditions import Columns


def load_decoder(path: Path, spec: EncoderSpec, weights: EncoderWeights | None = None) -> Any:
    """Read a decoder, in floating point or compact; NAME/FILE is that of a shipped set.

    `weights`: those of the encoder; a decoder that refines with another encoder is refused. Raises InputError if the
    file does not hold a decoder, or one for other latents.

    Examples:
        >>> from pathlib import Path
        >>> from training import Run
        >>> from training.networks import load_decoder
        >>> load_decoder(Path("econ_t_3elink/compact_3k.npz"), Run("econ_t_3elink").config.encoder).spec.macs
        2880
    """
    path = shipped.find(path)
    if not CompactDecoder.is_in(path):
        from training.networks.decoder import load_network  # noqa: PLC0415  (starts TensorFlow)

        return load_network(path, spec, weights)
    compact = CompactDecoder.load(path)
    if (compact.spec.latent, compact.spec.n_latents) != (spec.latent, spec.dense.outputs):
        raise InputError(f"{path}: decoder of {compact.spec.n_latents} latents in {compact.spec.latent}, expected "
                         f"{spec.dense.outputs} in {spec.latent}")
    return compact


def decode(
    decoder: Any, latent_value: FloatArray, module_sum: npt.NDArray[np.integer[Any]], columns: Columns | None = None
) -> FloatArray:
    """Decode latents (n, outputs) and module sums (n,) to charge fractions (n, 48) in trigger-cell order.

    `decoder`: a tf_keras model, or a CompactDecoder. `columns`: what is known of the modules; conditions that are not
    among them are 0, and cells that do not exist (`cells`, (n, 48)) get no charge.

    Examples:
        >>> import numpy as np
        >>> from training import Run
        >>> from training.networks import decode
        >>> fractions = decode(Run("econ_t_5elink").decoder, np.zeros((3, 16)), np.full(3, 1000))
        >>> fractions.shape, fractions.sum(axis=1).round(3).tolist()
        ((3, 48), [1.0, 1.0, 1.0])
    """
    if isinstance(decoder, CompactDecoder):
        return compact_fractions(decoder, latent_value, module_sum)
    from training.networks.decoder import network_fractions  # noqa: PLC0415  (starts TensorFlow)

    return network_fractions(decoder, latent_value, module_sum, columns or {})
