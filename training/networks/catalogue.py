"""Encoders by name, including those of the older training scripts, and the configuration of each.

A name gives image, convolution and loss: `8x8_c8_S2_tele` has 8 filters of stride 2 on the 8x8 image and is trained
with the telescope loss. Plain names are float; `_quantized` stands for QKeras arithmetic with the bits of the link
budget, `_qK_RTL` for the chip's arithmetic. Quantised networks of the chip's shape are the chip's encoder, which
everything else here runs; the others are for comparison only and cannot be loaded into the chip.

Shapes, losses and arrangements of the images follow networks.py, denseCNN.py and qDenseCNN.py of Ecoder
(github.com/kakwok/Ecoder and its forks).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from models.arrays import IntArray
from models.config import Config
from models.errors import InputError, nearest
from models.spec import EncoderSpec
from models.trigger_cells import IMAGE_TO_TC, N_TRIGGER_CELLS

Image = Literal["8x8", "4x4x3", "6x6x3", "48"]

_KERNEL = 3
_NO_CELL = -1
_CHIP_CONV = {"filters": 8, "kernel": _KERNEL, "stride": 2}


@dataclass(frozen=True)
class Network:
    """An encoder: image -> [conv -> [2x2 max pooling] -> ReLU] -> dense layers with ReLU -> latents with ReLU.

    Examples:
        >>> from training.networks import Network
        >>> network = Network("8x8", "telescope", stride=2, formats="chip")
        >>> network.on_chip, network.n_parameters()
        (True, 2144)
    """

    image: Image
    loss: str
    filters: int = 8
    """Number of 3x3 kernels; 0 omits the convolution."""
    stride: int = 1
    pool: bool = False
    padding: Literal["same", "valid"] = "same"
    hidden: tuple[int, ...] = ()
    """Units of the dense layers before the latents."""
    formats: Literal["float", "qkeras", "chip"] = "float"

    @property
    def on_chip(self) -> bool:
        """Whether this is the chip's encoder: its shape in fixed point."""
        chip = Network("8x8", self.loss, stride=2, formats=self.formats)
        return self == chip and self.formats != "float"

    def n_parameters(self, outputs: int = 16) -> int:
        """Number of weights and biases."""
        *sides, channels = arrangement(self.image).shape
        total, units = 0, channels
        if self.filters:
            rows = sides[0] - (_KERNEL - 1 if self.padding == "valid" else 0)
            rows = -(-rows // (self.stride * (2 if self.pool else 1)))
            total, units = (_KERNEL**2 * channels + 1) * self.filters, rows**2 * self.filters
        for width in (*self.hidden, outputs):
            total, units = total + (units + 1) * width, width
        return total


_PLAIN = {
    "8x8_c8_S2_tele": Network("8x8", "telescope", stride=2),
    "8x8_c8_pool_tele": Network("8x8", "telescope", pool=True),
    "8x8_c8_S2": Network("8x8", "weighted_mse", stride=2),
    "8x8_c8_S2_emd6": Network("8x8", "emd_loss6", stride=2),
    "4x4x3_c8_tele": Network("4x4x3", "telescope_4x4x3"),
    "6x6x3_c8_tele": Network("6x6x3", "telescope_6x6x3", padding="valid"),
    "dense_d32_tele": Network("48", "telescope", filters=0, hidden=(32,)),
}

NETWORKS = {
    **_PLAIN,
    "8x8_c8_S2_qK_RTL": Network("8x8", "weighted_mse", stride=2, formats="chip"),
    **{f"{name}_quantized": replace(network, formats="qkeras") for name, network in _PLAIN.items()},
}
"""All networks by name.

Examples:
    >>> from training.networks import NETWORKS
    >>> len(NETWORKS), NETWORKS["8x8_c8_S2_qK_RTL"].formats
    (15, 'chip')
"""


def find(name: str, quantize: bool = False) -> tuple[str, Network]:
    """Look up a network and its full name; `quantize` takes the quantised version. InputError names the nearest."""
    if name not in NETWORKS:
        raise InputError(f"unknown network '{name}' (econ-t networks lists all){nearest(name, NETWORKS)}")
    if quantize and NETWORKS[name].formats == "float":
        name = f"{name}_quantized"
    return name, NETWORKS[name]


def configure(config: Config, name: str, quantize: bool = False) -> Config:
    """Return `config` with encoder and loss of a network; links, data and all other options stay.

    Raises InputError for an unknown name, or if a network in the chip's formats gets a configuration with others.

    Examples:
        >>> from models import Config
        >>> from training.networks import configure
        >>> configure(Config.load("qkeras_5elink"), "8x8_c8_S2_tele").training.loss
        'telescope'
    """
    name, network = find(name, quantize)
    spec = config.encoder
    if network.formats == "chip" and spec.arithmetic != "chip":
        raise InputError(f"network {name} has the chip's formats, but configuration {config.name} has "
                         f"{spec.arithmetic} formats; use one such as econ_t_5elink")
    if network.on_chip:
        spec = spec.evolve(conv=_CHIP_CONV)
    if network.formats == "qkeras":
        spec = plain_qkeras(spec)
    training = {"network": None if network.on_chip else name, "loss": network.loss, "final_fraction": 0.0}
    return config.evolve(name=name, encoder=spec, training=training)


def plain_qkeras(spec: EncoderSpec) -> EncoderSpec:
    """Change a spec to exact products and rounding half to even, with latents in the bits that the links carry."""
    return spec.evolve(
        conv={"product": None, "output": replace(spec.conv.output, rounding="half_even")},
        dense={"product": None, "output": replace(spec.latent, rounding="half_even", overflow="saturate")},
    )


def arrangement(image: Image) -> IntArray:
    """Trigger cell at each pixel of an image, -1 where there is none: (rows, columns, channels), or (48,).

    4x4x3 has one rhombus of the module per channel. 6x6x3 flips each of them upside down and adds the row and the
    column of the two other rhombi that touch it on the wafer, so that a 3x3 kernel without padding sees across the
    edges.
    """
    square = np.arange(N_TRIGGER_CELLS).reshape(3, 4, 4)
    if image == "48":
        return square.ravel()
    if image == "8x8":
        return IMAGE_TO_TC[..., None]
    if image == "4x4x3":
        return np.moveaxis(square, 0, -1)
    padded = np.full((3, 6, 6), _NO_CELL)
    padded[:, 1:5, 1:5] = square[:, ::-1]
    padded[:, 1:5, 5] = np.roll(square, 1, axis=0)[:, 0]
    padded[:, 5, 1:5] = np.roll(square, -1, axis=0)[:, ::-1, 3]
    return np.moveaxis(padded, 0, -1)
