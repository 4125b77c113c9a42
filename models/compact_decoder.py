"""A decoder small enough for an FPGA, in integers: shapes, number formats and weights.

Its inputs are fields of the AE frame as they arrive: the latents, the module sum in the floating code 5E4M, which is
its logarithm in fixed point (exponent before the point, mantissa after it), and the mantissa alone, which says by how
much the sum exceeds the power of two that the normaliser divides by. No logic is needed before the first layer.
Dense layers with ReLU follow. The last one gives the charge of each trigger cell in units of the module sum: an FPGA
has neither a cheap exponential nor a cheap division, so there is no softmax, and nothing makes the charges add up to
the sum.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self

from models import shipped
from models.arrays import IntArray
from models.errors import InputError, parsing
from models.fixed_point import FixedPoint
from models.npz import read_npz, write_npz
from models.spec import Format, LayerFormats
from models.trigger_cells import N_TRIGGER_CELLS
from models.validation import Evolving, explain
from models.wording import counted

INPUT = FixedPoint.parse("U1.8")
"""Format of all inputs: 9 bits, as many as the widest latent and the code of the module sum have."""
MANTISSA_BITS = 4
"""Of the code of the module sum."""
SUM_VALUE = 8
"""Value of the last layer that stands for the whole module sum: an average cell is then of the order of a weight."""

_SUM_FIELDS = 2  # inputs made from the module sum
_EXACT_BITS = 25  # with a sign: float32 holds such sums exactly, so that a Keras model computes the same integers
_MAX_MACS = 1 << 22
_WEIGHT_BITS = 16  # in files
_FILE_ARRAYS = {"spec", "encoder", "made_from", "codes"}


class CompactLayer(LayerFormats):
    """A dense layer with a ReLU; its products are exact."""

    units: int = Field(ge=1, le=4096)

    @model_validator(mode="after")
    def _exact(self) -> Self:
        if self.product is not None:
            raise ValueError(f"product {self.product}, expected exact")
        return self


class CompactSpec(Evolving):
    """A whole decoder: latents and module sum -> dense layers with ReLU -> charge of 48 trigger cells.

    Example: `CompactSpec.largest(encoder.latent, encoder.dense.outputs, macs=3000)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, arbitrary_types_allowed=True,
                              defer_build=True)

    latent: Format
    """Format of the latents, as the links carry them."""
    n_latents: int = Field(ge=1, le=64)
    layers: tuple[CompactLayer, ...] = Field(min_length=1, max_length=8)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.latent.signed or self.latent.width > INPUT.width:
            raise ValueError(f"latent {self.latent} must be unsigned and have at most {INPUT.width} bits")
        if self.layers[-1].units != N_TRIGGER_CELLS:
            raise ValueError(f"layers: the last one has {self.layers[-1].units} units, expected {N_TRIGGER_CELLS}")
        if self.macs > _MAX_MACS:
            raise ValueError(f"layers: {self.macs} multiply-accumulates, expected at most {_MAX_MACS}")
        for index, (layer, data) in enumerate(zip(self.layers, self.data, strict=True)):
            layer.check_product(data, f"layers.{index}")
            widest = max(layer.weight.width, layer.bias.width)
            if widest > _WEIGHT_BITS:
                raise ValueError(f"layers.{index}: weights of {widest} bits, expected at most {_WEIGHT_BITS}")
            width = self.accumulators[index].width
            if width > _EXACT_BITS:
                raise ValueError(f"layers.{index}: sums of {width} bits, expected at most {_EXACT_BITS}")
        return self

    def __repr__(self) -> str:
        units = " -> ".join(map(str, self.sizes))
        return f"<CompactSpec {units}: {self.macs:,} multiply-accumulates>"

    __str__ = __repr__

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, then the units of each layer."""
        return (self.n_latents + _SUM_FIELDS, *(layer.units for layer in self.layers))

    @property
    def data(self) -> tuple[FixedPoint, ...]:
        """Format of the numbers that enter each layer."""
        return (INPUT, *(layer.output for layer in self.layers[:-1]))

    @property
    def accumulators(self) -> tuple[FixedPoint, ...]:
        """Format of the sums of each layer, which holds every one of them exactly."""
        return tuple(layer.accumulator(data, n_inputs)
                     for layer, data, n_inputs in zip(self.layers, self.data, self.sizes, strict=False))

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one module."""
        return sum(before * after for before, after in pairwise(self.sizes))

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Arrays of a decoder, in order, by name."""
        return {f"{part}_{index}": shape for index, (before, after) in enumerate(pairwise(self.sizes))
                for part, shape in (("kernel", (before, after)), ("bias", (after,)))}

    @property
    def weight_formats(self) -> dict[str, FixedPoint]:
        """Number format of each array of `weight_shapes`."""
        return {f"{part}_{index}": form for index, layer in enumerate(self.layers)
                for part, form in (("kernel", layer.weight), ("bias", layer.bias))}

    @classmethod
    def largest(
        cls, latent: FixedPoint, n_latents: int, macs: int, n_hidden: int = 2, weight_bits: int = 6,
    ) -> CompactSpec:
        """The widest decoder of `n_hidden` equal hidden layers within a number of multiply-accumulates.

        Weights have `weight_bits` bits. Raises InputError if not even one unit per layer fits.
        """
        outside = n_latents + _SUM_FIELDS + N_TRIGGER_CELLS
        width = next((n for n in range(4096, 0, -1) if n * (outside + (n_hidden - 1) * n) <= macs), 0)
        if not width:
            raise InputError(f"{macs} multiply-accumulates, expected at least {outside + n_hidden - 1} for "
                             f"{counted(n_latents, 'latent')} and {n_hidden} hidden layers")
        weight = FixedPoint(weight_bits, 1, signed=True)
        common = {"weight": weight, "bias": FixedPoint(weight_bits + 2, 2, signed=True), "product": None}
        hidden = {**common, "output": "U2.6 half_even saturate", "units": width}
        last = {**common, "output": "U3.7 half_even saturate", "units": N_TRIGGER_CELLS}
        try:
            return cls.model_validate({"latent": latent, "n_latents": n_latents,
                                       "layers": (*[hidden] * n_hidden, last)})
        except ValidationError as error:
            raise InputError(explain(error, cls)) from None

    @cached_property
    def _digest(self) -> str:
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def digest(self) -> str:
        """16 hex digits: equal if and only if all fields are equal."""
        return self._digest


@dataclass(frozen=True, eq=False)
class CompactDecoder:
    """Integer weights of a decoder, in the order of `spec.weight_shapes`, and the encoder that it belongs to."""

    spec: CompactSpec
    arrays: dict[str, IntArray]
    encoder: str
    """Digest of the encoder's weights: the latents of other weights mean something else."""
    made_from: str = ""
    """Fingerprint of the training."""

    def __post_init__(self) -> None:
        for name, shape in self.spec.weight_shapes.items():
            code, form = self.arrays[name], self.spec.weight_formats[name]
            form.check_codes(name, code, shape)

    def __repr__(self) -> str:
        return f"<CompactDecoder {self.spec!r} for the encoder {self.encoder}, digest {self.digest()}>"

    def layers(self) -> Sequence[tuple[CompactLayer, IntArray, IntArray]]:
        """Formats, kernel (inputs, units) and bias (units,) of each layer."""
        return [(layer, self.arrays[f"kernel_{index}"], self.arrays[f"bias_{index}"])
                for index, layer in enumerate(self.spec.layers)]

    @property
    def flat(self) -> npt.NDArray[np.int16]:
        """All codes, kernel and bias of each layer in turn."""
        return np.concatenate([self.arrays[name].ravel() for name in self.spec.weight_shapes]).astype(np.int16)

    def digest(self) -> str:
        """16 hex digits of spec, codes and encoder."""
        content = (self.spec.digest() + self.encoder).encode() + self.flat.astype("<i2").tobytes()
        return hashlib.sha256(content).hexdigest()[:16]

    def check_encoder(self, digest: str | None, what: object) -> None:
        """Raise InputError unless the encoder with this digest is the one that the decoder belongs to."""
        if digest != self.encoder:
            raise InputError(f"{what}: decoder of the encoder {self.encoder}, expected one of {digest or 'a network'}")

    @classmethod
    def random(cls, spec: CompactSpec, seed: int, density: float = 1.0) -> CompactDecoder:
        """Codes drawn evenly over each format; with `density` < 1 the others are zero."""
        rng = np.random.default_rng(seed)
        arrays: dict[str, IntArray] = {}
        for name, shape in spec.weight_shapes.items():
            form = spec.weight_formats[name]
            codes = rng.integers(form.min_code, form.max_code + 1, shape)
            arrays[name] = np.where(rng.random(shape) < density, codes, 0)
        return cls(spec, arrays, encoder=f"{seed:016x}")

    @classmethod
    def from_flat(cls, spec: CompactSpec, codes: IntArray, encoder: str, made_from: str = "") -> CompactDecoder:
        """The inverse of `flat`; codes (n,)."""
        ends = np.cumsum([int(np.prod(shape)) for shape in spec.weight_shapes.values()])
        if np.shape(codes) != (int(ends[-1]),):
            raise InputError(f"{np.shape(codes)} weight codes, expected ({ends[-1]},)")
        parts = np.split(np.asarray(codes), ends[:-1])
        arrays = {name: part.reshape(shape)
                  for (name, shape), part in zip(spec.weight_shapes.items(), parts, strict=True)}
        return cls(spec, arrays, encoder, made_from)

    def save(self, path: str | Path) -> None:
        """Write an `npz` file."""
        write_npz(path, spec=json.dumps(self.spec.model_dump(mode="json")), encoder=self.encoder,
                  made_from=self.made_from, codes=self.flat)

    @classmethod
    def load(cls, path: Path) -> CompactDecoder:
        """Read an `npz` file, or NAME/FILE of a shipped set; raises InputError if it holds no compact decoder."""
        path = shipped.find(path)
        content = read_npz(path, _FILE_ARRAYS)
        with parsing(path, "the spec of a compact decoder"):
            fields: Any = json.loads(str(content["spec"]))
        try:
            spec = CompactSpec.model_validate(fields)
        except ValidationError as error:
            raise InputError(explain(error, CompactSpec, path)) from None
        codes = content["codes"]
        if codes.dtype.kind not in "iu":
            raise InputError(f"{path}: codes of type {codes.dtype}, expected integers")
        try:
            return cls.from_flat(spec, codes, str(content["encoder"]), str(content["made_from"]))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @staticmethod
    def is_in(path: Path) -> bool:
        """Whether a file holds a compact decoder; False for one in floating point, and for anything unreadable."""
        try:
            with zipfile.ZipFile(path) as archive:
                return "codes.npy" in archive.namelist()
        except (OSError, zipfile.BadZipFile):
            return False
