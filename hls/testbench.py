"""Files of the compiled testbench: control words in, numbers of each event out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from models.chip import AE_MAX_ELINKS, LINK_BITS
from models.spec import EncoderSpec
from models.trigger_cells import IMAGE_SIZE
from models.weights import EncoderWeights

STAGES = (
    "module_sum", "shift", "image_code", "conv_sum", "hidden_code", "dense_sum", "output_code", "latent_code", "words"
)
"""Stages that csim returns. `words` is the frame of the AE algorithm, (n, 5)."""


def control_words(
    spec: EncoderSpec, weights: EncoderWeights, n_elinks: int | None = None, mask: int | None = None
) -> npt.NDArray[np.int32]:
    """Content of the control file: links, bits per latent, output mask, weight codes."""
    chosen = spec.ae_mask if mask is None else mask
    words = [spec.n_elinks if n_elinks is None else n_elinks, spec.latent_bits] + [
        chosen >> (LINK_BITS * i) & ((1 << LINK_BITS) - 1) for i in range(AE_MAX_ELINKS)]
    codes = [array.ravel() for array in weights.arrays.values()]  # hls4ml keeps the order of kernels: input, output
    return np.concatenate([np.array(words, dtype=np.uint32).view(np.int32), *codes]).astype(np.int32)


def _layout(spec: EncoderSpec, trace: bool) -> list[tuple[str, tuple[int, ...]]]:
    layout: list[tuple[str, tuple[int, ...]]] = [("latent_code", (spec.dense.outputs,)), ("words", (AE_MAX_ELINKS,))]
    if trace:
        layout += [("module_sum", ()), ("shift", ()), ("image_code", (IMAGE_SIZE, IMAGE_SIZE)),
                   ("conv_sum", (spec.conv.size, spec.conv.size, spec.conv.filters)), ("hidden_code", (spec.n_hidden,)),
                   ("dense_sum", (spec.dense.outputs,)), ("output_code", (spec.dense.outputs,))]
    return layout


def row_length(spec: EncoderSpec, trace: bool) -> int:
    """Number of values per event in the testbench's output."""
    return sum(int(np.prod(shape)) for _, shape in _layout(spec, trace))


def _split(
    spec: EncoderSpec, rows: npt.NDArray[np.int32], trace: bool
) -> Iterator[tuple[str, npt.NDArray[np.int32]]]:
    start = 0
    for name, shape in _layout(spec, trace):
        end = start + int(np.prod(shape))
        yield name, rows[:, start:end].reshape(len(rows), *shape)
        start = end
