"""One output of a layer: cut products with reloadable weights, bias, ReLU, rounding."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Module, Value, signed, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from models.errors import InputError
from models.fixed_point import FixedPoint
from models.spec import LayerFormats
from rtl.arithmetic import Multiples, Target, Term, activate, cut_product, sum_of_products
from rtl.block import Block, wire


@dataclass(frozen=True)
class InputCode:
    """What is known of an input: which of its bits, and of those of three times it, can be 1; its largest value."""

    once: int
    thrice: int
    largest: int

    @classmethod
    def of(cls, codes: Sequence[int] | npt.NDArray[np.integer[Any]]) -> InputCode:
        """For an input that takes the given codes only."""
        array = np.asarray(codes, dtype=np.int64)
        return cls(int(np.bitwise_or.reduce(array)), int(np.bitwise_or.reduce(3 * array)), int(array.max()))

    def multiples(self, once: Value, thrice: Value) -> Multiples:
        """The input with zeros where a bit cannot be 1, so that no gates are made for it."""
        return Multiples(Term(_possible(once, self.once), self.largest),
                         Term(_possible(thrice, self.thrice), 3 * self.largest))


def _possible(value: Value, bits: int) -> Value:
    return Cat(value[i] if bits >> i & 1 else 0 for i in range(bits.bit_length()))


class Neuron(Block):
    """One dense output, or one filter at one pixel of the convolution.

    code, thrice, weight: the inputs, three times each, and their weights; excess: see `excess_of`; bias: its code.
    A neuron without inputs has none of the first three ports, and its output depends on its bias alone.
    """

    def __init__(self, layer: LayerFormats, data: FixedPoint, inputs: Sequence[InputCode], target: Target) -> None:
        """Raises InputError for a product that is cut by more bits than a weight has below its sign."""
        self.layer, self.data, self.inputs, self.target = layer, data, tuple(inputs), target
        self.large = len(inputs) > 0
        self.fraction_bits = layer.product_fraction_bits(data)
        self.cut = data.fraction_bits + layer.weight.fraction_bits - self.fraction_bits
        if self.cut >= layer.weight.width:
            raise InputError(f"RTL of a product of {data} x {layer.weight} cut by {self.cut} bits is not supported, "
                             f"expected at most {layer.weight.width - 1}")
        n = len(inputs)
        digest = hashlib.sha256(repr((layer, data, self.inputs, target)).encode()).hexdigest()[:6]
        inputs_and_weights = {
            "code": In(ArrayLayout(unsigned(data.width), n)),
            "thrice": In(ArrayLayout(unsigned(data.width + 2), n)),
            "weight": In(ArrayLayout(unsigned(layer.weight.width), n)),
        }
        super().__init__(f"neuron_{n}_inputs_{digest}", {
            **(inputs_and_weights if n else {}),
            "excess": In(unsigned(self.excess_of(n * data.max_code).bit_length())),
            "bias": In(signed(layer.bias.width)),
            "result": Out(unsigned(layer.output.width)),
        })

    def excess_of(self, code_sum: Any) -> Any:
        """What unsigned weights and bias add too much, from the sum of the inputs: equal for all outputs of a layer."""
        bias_sign = 1 << (self.layer.bias.width - 1 + self._bias_shift)
        return (code_sum << (self.layer.weight.width - 1 - self.cut)) + bias_sign

    @property
    def _bias_shift(self) -> int:
        return self.fraction_bits - self.layer.bias.fraction_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        products = [
            cut_product(m, _unsigned(self.weight[k]), known.multiples(self.code[k], self.thrice[k]), self.cut)
            for k, known in enumerate(self.inputs)
        ]
        bias = Term(_unsigned(self.bias), (1 << layer.bias.width) - 1).shifted(self._bias_shift)
        total = sum_of_products(bias, products, self.target) - self.excess
        exact = wire(m, total[: layer.accumulator(self.data, len(self.inputs)).width], "exact")
        m.d.comb += self.result.eq(activate(m, exact, self.fraction_bits, layer.output))
        return m


def _unsigned(code: Value) -> Value:
    """A two's complement code plus 2^(width-1)."""
    return Cat(code[:-1], ~code[-1])
