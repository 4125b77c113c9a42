"""An imported encoder against the network that it was imported from, on the same images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emulator.encoder import encode
from models.arrays import IntArray
from models.foreign.layers import Network
from models.foreign.reference import latents
from models.spec import EncoderSpec
from models.trigger_cells import N_TRIGGER_CELLS
from models.weights import EncoderWeights


@dataclass(frozen=True)
class LatentCheck:
    """How many of the latents equal the network's own, rounded to the format of the configuration's outputs."""

    n_latents: int
    n_equal_exact: int
    """With exact sums, rounded half to even, which is the arithmetic of the network itself."""
    n_equal: int
    """In the arithmetic of the configuration."""
    n_positive: int
    """The network's own that are above 0."""
    n_negative: int
    """The network's own that are below 0: the chip's ReLU makes them 0."""


def random_modules(n_modules: int = 1000, seed: int = 0) -> IntArray:
    """Charges (n, 48) of modules from nearly empty to full, from single counts to thousands."""
    rng = np.random.default_rng(seed)
    filled = rng.random((n_modules, N_TRIGGER_CELLS)) < rng.uniform(0.02, 0.8, (n_modules, 1))
    charges = rng.exponential(10 ** rng.uniform(0.5, 3.5, (n_modules, 1)), filled.shape)
    return np.where(filled, charges, 0).astype(np.uint32)


def exact_spec(spec: EncoderSpec) -> EncoderSpec:
    """The spec with sums of exact products, rounded half to even and limited: the arithmetic of QKeras."""
    return spec.evolve(**{name: {"product": None, "output": replace(layer.output, rounding="half_even",
                                                                    overflow="saturate")}
                          for name, layer in (("conv", spec.conv), ("dense", spec.dense))})


def check_latents(weights: EncoderWeights, network: Network, calq: IntArray) -> LatentCheck:
    """Run the network and the emulator on these modules, (n, 48) in image order."""
    spec = weights.spec
    trace = encode(weights, calq, keep=("image_code", "output_code"))
    form = spec.dense.output
    own = np.rint(latents(network, trace["image_code"], spec.input) / form.lsb)
    own_code = np.minimum(own, form.max_code)
    exact = encode(EncoderWeights(exact_spec(spec), **weights.arrays), calq, keep=("output_code",))
    return LatentCheck(own.size, int(np.sum(exact["output_code"] == own_code)),
                       int(np.sum(trace["output_code"] == own_code)), int(np.sum(own > 0)), int(np.sum(own < 0)))
