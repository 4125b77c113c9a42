"""Results about encoders other than the chip's: cost, hybrid.json, search.json and networks.json."""

from __future__ import annotations

from models.cost import Cost
from models.result import Result
from training.results.evaluation import EmdMetrics


class EncoderCost(Cost):
    """Cost of the encoder of a configuration, as counted by `econ-t flops`."""

    config: str


class HybridCode(EmdMetrics):
    """A code of `econ-t hybrid` and its EMD after training."""

    code: str
    n_latents: int
    latent_bits: int
    address: bool
    """Whether the frame carries the address of the largest cell."""
    value_bits: int
    """Bits of its value in the frame."""
    bits: int
    """Bits in total."""
    epochs: int
    fingerprint: str


class SearchedEncoder(EmdMetrics, Cost):
    """An encoder of `econ-t search`: its size, its cost and its EMD."""

    kernel: int
    stride: int
    latent_bits: int
    weight_bits: int
    filters: int
    latents: int
    val_emd: float
    """Mean EMD of the validation modules, the objective of the search."""


class TrainedNetwork(EmdMetrics):
    """A network of `econ-t train --models` and its EMD on the held-out modules."""

    name: str
    formats: str
    on_chip: bool
    loss: str
    epochs: int
    n_elinks: int
    weights: str | None
    """Digest of the weights; None unless it is an encoder of the chip."""


class ListedNetwork(Result):
    """A row of `econ-t networks`."""

    name: str
    image: str
    loss: str
    formats: str
    on_chip: bool
    weights: int
    """Number of weights."""
