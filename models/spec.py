"""The encoder, stated once: shapes and number formats. Types, masks, HLS precision and register layout derive from it.

The arithmetic of a layer is three formats: `product` says to which LSB each product is cut before it is added (`exact`:
not at all), the accumulator is always wide enough to be exact, and `output` says how the sum is rounded and limited
after the ReLU. The real chip and plain QKeras arithmetic are two sets of formats, not two code paths.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from models.chip import LATENT_BITS, MAX_ELINKS
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.trigger_cells import IMAGE_SIZE
from models.validation import Evolving
from models.wording import counted

Format = Annotated[FixedPoint, BeforeValidator(FixedPoint.parse), PlainSerializer(str)]
Product = Annotated[
    FixedPoint | None,
    BeforeValidator(lambda text: None if text in ("exact", None) else FixedPoint.parse(text)),
    PlainSerializer(lambda product: "exact" if product is None else str(product)),
]

_WEIGHT_BITS, _CODE_BITS = 16, 31
"""Most bits of weights, which are kept as int16, and of all other codes: emulator and C++ hand them out as int32."""


class _Strict(Evolving):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, arbitrary_types_allowed=True,
                              defer_build=True)


class LayerFormats(_Strict):
    """Number formats of one multiply-accumulate layer with a ReLU."""

    weight: Format
    bias: Format
    product: Product
    output: Format

    @model_validator(mode="after")
    def _consistent(self) -> LayerFormats:
        if self.output.signed:
            raise ValueError(f"output {self.output} must be unsigned: it stands after a ReLU")
        if not self.weight.signed:
            raise ValueError(f"weight {self.weight} must be signed")
        return self

    def product_fraction_bits(self, data: FixedPoint) -> int:
        """Fractional bits of what is added: those of the exact product, or of the cut one."""
        exact = data.fraction_bits + self.weight.fraction_bits
        return exact if self.product is None else self.product.fraction_bits

    def accumulator(self, data: FixedPoint, n_products: int) -> FixedPoint:
        """The narrowest signed format that holds every sum of `n_products` products and a bias exactly."""
        fraction_bits = self.product_fraction_bits(data)
        cut = data.fraction_bits + self.weight.fraction_bits - fraction_bits
        bias_shift = fraction_bits - self.bias.fraction_bits
        low = n_products * ((data.max_code * self.weight.min_code) >> cut) + (self.bias.min_code << bias_shift)
        high = n_products * ((data.max_code * self.weight.max_code) >> cut) + (self.bias.max_code << bias_shift)
        width = 1 + max((-low - 1).bit_length(), high.bit_length())
        return FixedPoint(width, width - fraction_bits, signed=True)

    def check_product(self, data: FixedPoint, name: str) -> None:
        """Raise ValueError unless the product format only cuts low bits of the exact product and keeps the bias."""
        exact = FixedPoint(data.width + self.weight.width, data.integer_bits + self.weight.integer_bits, signed=True)
        product = exact if self.product is None else self.product
        if not product.signed or product.rounding != "floor" or product.integer_bits < exact.integer_bits:
            raise ValueError(f"{name}.product {product} must be signed, floor, and hold the {exact} of "
                             f"{data} x {self.weight}: expected S{exact.integer_bits}.n")
        if product.fraction_bits > exact.fraction_bits or product.fraction_bits < self.bias.fraction_bits:
            raise ValueError(f"{name}.product {product} must have between {self.bias.fraction_bits} (as the bias) and "
                             f"{exact.fraction_bits} (as the exact product) fractional bits")
        if self.output.fraction_bits > product.fraction_bits:
            raise ValueError(f"{name}.output {self.output} has more fractional bits than the sum, "
                             f"expected at most {product.fraction_bits}")


def _check_width(name: str, form: FixedPoint, most: int) -> None:
    if form.width > most:
        raise ValueError(f"{name} has {form.width} bits ({form}), expected at most {most}")


class ConvFormats(LayerFormats):
    """The convolution: `filters` kernels of `kernel` x `kernel`, "same" padding at the bottom and right."""

    filters: int = Field(8, ge=1, le=64)
    kernel: int = Field(3, ge=1, le=IMAGE_SIZE)
    stride: int = Field(2, ge=1, le=IMAGE_SIZE)

    @property
    def size(self) -> int:
        """Rows (and columns) of the output."""
        return -(-IMAGE_SIZE // self.stride)

    @property
    def padding(self) -> tuple[int, int]:
        """Zero rows (and columns) before and after the image, as TensorFlow's "same" places them."""
        total = max((self.size - 1) * self.stride + self.kernel - IMAGE_SIZE, 0)
        return total // 2, total - total // 2


class DenseFormats(LayerFormats):
    """The dense layer to the latents."""

    outputs: int = Field(16, ge=1, le=64)


class EncoderSpec(_Strict):
    """A whole encoder: image -> conv -> ReLU -> flatten (row, column, filter) -> dense -> ReLU -> latent bits sent.

    Examples:
        >>> from models import EncoderSpec
        >>> spec = EncoderSpec.chip(2)
        >>> spec.n_hidden, spec.latent_bits, spec.weight_shapes["dense_kernel"]
        (128, 3, (128, 16))
        >>> spec.evolve(conv={"filters": 4}).n_hidden
        64
    """

    n_elinks: Annotated[int, Field(ge=1, le=MAX_ELINKS)]
    input: Format
    conv: ConvFormats
    dense: DenseFormats

    @model_validator(mode="after")
    def _consistent(self) -> EncoderSpec:
        if self.input.signed or self.input.rounding != "floor" or self.input.integer_bits < 0:
            raise ValueError(f"input {self.input} must be unsigned and floor, of no less than 0 integer bits: "
                             "the normaliser shifts charges")
        _check_width("input", self.input, _CODE_BITS)
        for name, layer in (("conv", self.conv), ("dense", self.dense)):
            _check_width(f"{name}.weight", layer.weight, _WEIGHT_BITS)
            _check_width(f"{name}.bias", layer.bias, _WEIGHT_BITS)
            _check_width(f"{name}.output", layer.output, _CODE_BITS)
        self.conv.check_product(self.input, "conv")
        self.dense.check_product(self.conv.output, "dense")
        if self.dense.output.width < self.latent_bits:
            raise ValueError(f"dense.output {self.dense.output} has fewer than the "
                             f"{counted(self.latent_bits, 'bit')} per latent of {counted(self.n_elinks, 'link')}")
        for name, total in (("conv", self.conv_accumulator), ("dense", self.dense_accumulator)):
            _check_width(f"the sum of {name}", total, _CODE_BITS)
        return self

    def __repr__(self) -> str:
        conv, dense = self.conv, self.dense
        return (f"<EncoderSpec for {counted(self.n_elinks, 'link')}: {conv.filters} filters of "
                f"{conv.kernel}x{conv.kernel}, stride {conv.stride}, {dense.outputs} latents of "
                f"{counted(self.latent_bits, 'bit')}, {self.arithmetic} arithmetic>")

    __str__ = __repr__

    @property
    def arithmetic(self) -> Literal["chip", "qkeras"]:
        """`chip` if any product is cut before it is added, else `qkeras`."""
        return "qkeras" if self.conv.product is None and self.dense.product is None else "chip"

    @property
    def n_hidden(self) -> int:
        """Hidden values: pixels times filters of the convolution."""
        return self.conv.size**2 * self.conv.filters

    @property
    def conv_accumulator(self) -> FixedPoint:
        """Format of the sums of the convolution."""
        return self.conv.accumulator(self.input, self.conv.kernel**2)

    @property
    def dense_accumulator(self) -> FixedPoint:
        """Format of the sums of the dense layer."""
        return self.dense.accumulator(self.conv.output, self.n_hidden)

    @property
    def latent_bits(self) -> int:
        """Bits of each latent that the links carry."""
        return LATENT_BITS[min(self.n_elinks, max(LATENT_BITS))]

    @property
    def latent(self) -> FixedPoint:
        """What the mask leaves of `dense.output`: its top `latent_bits` bits, the others dropped."""
        return FixedPoint(self.latent_bits, self.dense.output.integer_bits, signed=False)

    @property
    def ae_mask(self) -> int:
        """The chip's output mask: for each latent, lowest first, one bit per output bit; 1 = sent."""
        width = self.dense.output.width
        kept = ((1 << self.latent_bits) - 1) << (width - self.latent_bits)
        return sum(kept << (width * i) for i in range(self.dense.outputs))

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Arrays of an encoder in register order, by name."""
        conv, dense = self.conv, self.dense
        return {
            "conv_kernel": (conv.kernel, conv.kernel, 1, conv.filters),
            "conv_bias": (conv.filters,),
            "dense_kernel": (self.n_hidden, dense.outputs),
            "dense_bias": (dense.outputs,),
        }

    @property
    def weight_formats(self) -> dict[str, FixedPoint]:
        """Number format of each array of `weight_shapes`."""
        return {
            "conv_kernel": self.conv.weight,
            "conv_bias": self.conv.bias,
            "dense_kernel": self.dense.weight,
            "dense_bias": self.dense.bias,
        }

    @classmethod
    def chip(cls, n_elinks: int) -> EncoderSpec:
        """The encoder that is cast in silicon, for the latent bits of `n_elinks` (1..13) links."""
        return cls.model_validate({
            "n_elinks": n_elinks,
            "input": "U1.7",
            "conv": {"weight": "S1.5", "bias": "S1.5", "product": "S2.7", "output": "U1.7 floor saturate"},
            "dense": {"weight": "S1.5", "bias": "S1.5", "product": "S2.8", "output": "U1.8 floor saturate"},
        })

    def difference(self, other: EncoderSpec) -> str:
        """The first field in which two specs differ, with both values in words; empty if they are equal."""
        if self.n_elinks != other.n_elinks:
            return f"{counted(self.n_elinks, 'link')}, not {other.n_elinks}"
        if self.arithmetic != other.arithmetic:
            return f"{self.arithmetic} arithmetic, not {other.arithmetic}"
        ours, theirs = _leaves(self.model_dump(mode="json")), _leaves(other.model_dump(mode="json"))
        return next((f"{name} {value}, not {theirs[name]}" for name, value in ours.items() if value != theirs[name]),
                    "")

    def check_same(self, other: EncoderSpec | str, statement: str, remedy: str = "") -> None:
        """Raise InputError unless `other`, a spec or its digest, is this spec.

        The message continues `statement`: "weights.npz: weights are" "for 2 links, not 5 (spec ..., expected ...)".
        """
        digest = other if isinstance(other, str) else other.digest()
        if digest == self.digest():
            return
        known = other if isinstance(other, EncoderSpec) else EncoderSpec.of_digest(digest)
        words = known.difference(self) if known else "another encoder"
        end = f"; {remedy}" if remedy else ""
        raise InputError(f"{statement} for {words} (spec {digest}, expected {self.digest()}){end}")

    @classmethod
    def of_digest(cls, digest: str) -> EncoderSpec | None:
        """The chip's own encoder that has a digest, on any number of links; None if none has it."""
        chips = map(cls.chip, range(min(LATENT_BITS), MAX_ELINKS + 1))
        return next((spec for spec in chips if spec.digest() == digest), None)

    @cached_property
    def _digest(self) -> str:
        canonical: dict[str, Any] = self.model_dump(mode="json")
        return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()[:16]

    def digest(self) -> str:
        """16 hex digits that every artefact of this spec carries: equal if and only if all fields are equal."""
        return self._digest


def _leaves(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted name."""
    return {
        name: leaf
        for key, value in section.items()
        for name, leaf in (_leaves(value, f"{prefix}{key}.") if isinstance(value, dict)
                           else {f"{prefix}{key}": value}).items()
    }
