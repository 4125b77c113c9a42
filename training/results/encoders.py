"""Results about encoders other than the chip's: their cost, hybrid.json, search.json, networks.json."""

from __future__ import annotations

from models.cost import Cost
from models.result import Result
from training.results.evaluation import EmdMetrics


class EncoderCost(Cost):
    """Cost of the encoder of a configuration: `econ-t flops`."""

    config: str


class HybridCode(EmdMetrics):
    """One code of `econ-t hybrid`, and the EMD after its training."""

    code: str
    n_latents: int
    latent_bits: int
    address: bool
    """The frame carries the address of the largest cell."""
    value_bits: int
    """Bits of its value that the frame carries."""
    bits: int
    """In all."""
    epochs: int
    fingerprint: str


class SearchedEncoder(EmdMetrics, Cost):
    """One encoder of `econ-t search`: what was chosen, its cost and its EMD."""

    kernel: int
    stride: int
    latent_bits: int
    weight_bits: int
    filters: int
    latents: int
    val_emd: float
    """Mean of the validation modules, the objective of the search."""


class TrainedNetwork(EmdMetrics):
    """One network of `econ-t train --models`, and its EMD on the held-out modules."""

    name: str
    formats: str
    on_chip: bool
    loss: str
    epochs: int
    n_elinks: int
    weights: str | None
    """Digest of the weights of an encoder of the chip."""


class ListedNetwork(Result):
    """One row of `econ-t networks`."""

    name: str
    image: str
    loss: str
    formats: str
    on_chip: bool
    weights: int
    """How many it has."""
