"""A network out of a foreign file: its layers in order, from the image to the latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.arrays import FloatArray, Int64Array
from models.errors import InputError

Function = Callable[[FloatArray], FloatArray]
"""Of one number, for arrays of any shape."""


@dataclass(frozen=True)
class Layer:
    """One layer: its class without the module, its name, settings and arrays as the file has them."""

    kind: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    function: Function | None = None
    """Of a layer of a frozen graph that acts on each number alone."""

    def integers(self, name: str, default: Any) -> Int64Array:
        """A setting that is an integer or a (nested) list of integers; raises InputError for anything else."""
        given = self.config.get(name)
        try:
            values = np.array(default if given is None else given)
        except ValueError:  # lists of different lengths
            values = np.array("")
        if values.dtype.kind not in "iu":
            raise InputError(f"{self}: {name} {str(given)[:40]!r}, expected integers")
        return values.astype(np.int64)

    def __str__(self) -> str:
        return f"layer {self.name} ({self.kind})"


@dataclass(frozen=True)
class Network:
    """What a file says of an encoder. `run` computes its latents from images of `input_shape`, if it can be run."""

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    source: str
    """Where the architecture was read, in words."""
    run: Callable[[FloatArray], FloatArray] | None = None


CONVOLUTIONS = {"Conv2D", "Convolution2D", "QConv2D", "QConv2DBatchnorm"}
DENSE = {"Dense", "QDense"}
NORMS = {"BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization",
         "QBatchNormalization", "Affine"}
"""Layers that scale and shift each channel; `Affine` is that of a frozen graph."""
ACTIVATIONS = {"Activation", "QActivation", "ReLU", "LeakyReLU", "Function"}
SHAPES = {"Flatten", "Reshape", "Permute"}
PASSIVE = {"InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
           "ActivityRegularization", "Identity"}
"""Layers that do nothing outside training."""
