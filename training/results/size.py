"""Result of `econ-t size`: what an encoder and its decoders take, estimated with open tools."""

from __future__ import annotations

from models.cost import Cost
from models.hardware import Implementation
from models.result import Result


class DecoderSize(Result):
    """A decoder of the encoder."""

    name: str
    arithmetic: str
    """Of its weights, in words."""
    macs: int
    """Multiply-accumulates for one module."""
    parameters: int
    """Weights and biases."""
    implementations: tuple[Implementation, ...] = ()
    """As logic; none for one in floating point, and a row without values says what makes them."""


class Size(Result):
    """Estimates for an encoder, and its decoders."""

    config: str
    digest: str
    """Of the spec."""
    weights: str
    """Digest of the weights."""
    encoder: Cost
    block: tuple[Implementation, ...]
    """The whole encoder block, with reloadable weights, as it was counted once for its RTL."""
    constants: tuple[Implementation, ...]
    """The two layers with these weights as constants."""
    decoders: tuple[DecoderSize, ...]

    def is_of(self, weights: str) -> bool:
        """Whether it was made from the weights with this digest."""
        return self.weights == weights
