"""Compact decoders: their shapes, families of their weights, and inputs that reach every extreme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from models.arrays import Int64Array
from models.compact_decoder import INPUT, CompactDecoder, CompactSpec
from models.spec import EncoderSpec


def sized(n_elinks: int, macs: int, n_hidden: int = 2, weight_bits: int = 6) -> CompactSpec:
    """The largest decoder of the chip's encoder."""
    encoder = EncoderSpec.chip(n_elinks)
    return CompactSpec.largest(encoder.latent, encoder.dense.outputs, macs, n_hidden, weight_bits)


SPECS: Mapping[str, CompactSpec] = {
    "5 links, 3k": sized(5, 3000),
    "2 links, 1k, 1 hidden": sized(2, 1000, 1),
    "4 links, 2k, 3 hidden, 4 bits": sized(4, 2000, 3, 4),
    "3 links, 1k, 8 bits": sized(3, 1000, 2, 8),
}


def _constant(spec: CompactSpec, highest: bool) -> CompactDecoder:
    forms = spec.weight_formats
    arrays = {name: np.full(shape, forms[name].max_code if highest else forms[name].min_code)
              for name, shape in spec.weight_shapes.items()}
    return CompactDecoder(spec, arrays, encoder="0" * 16)


def _small(spec: CompactSpec) -> CompactDecoder:
    """Weights of about the size of trained ones, so that few sums saturate."""
    rng = np.random.default_rng(5)
    decoder = CompactDecoder.random(spec, 6)
    arrays = {name: np.rint(code * np.clip(np.abs(rng.normal(0, 0.25, code.shape)), 0, 1)).astype(np.int64)
              for name, code in decoder.arrays.items()}
    return replace(decoder, arrays=arrays)


FAMILIES: Mapping[str, Callable[[CompactSpec], CompactDecoder]] = {
    "zero": lambda spec: CompactDecoder.random(spec, 1, density=0),
    "lowest": lambda spec: _constant(spec, highest=False),
    "highest": lambda spec: _constant(spec, highest=True),
    "random": lambda spec: CompactDecoder.random(spec, 2),
    "sparse": lambda spec: CompactDecoder.random(spec, 3, density=0.1),
    "small": _small,
}


def fields(spec: CompactSpec, n: int = 1000) -> tuple[Int64Array, Int64Array]:
    """Latents (m, latents) and codes of the module sum (m,): none, all ones, one at a time, `n` random ones."""
    rng = np.random.default_rng(7)
    most = spec.latent.max_code
    flat = np.outer([0, 1, most], np.ones(spec.n_latents, np.int64))
    one_hot = np.eye(spec.n_latents, dtype=np.int64) * most
    latent = np.concatenate([flat, one_hot, rng.integers(0, most + 1, (n, spec.n_latents))])
    total = rng.integers(0, INPUT.max_code + 1, len(latent))
    total[: len(flat)] = 0, INPUT.max_code, INPUT.max_code
    return latent, total
