"""One output of a layer, whole or in parts: cut products with reloadable weights, bias, ReLU and rounding."""

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
from typing_extensions import override

from models.errors import InputError
from models.fixed_point import FixedPoint
from models.spec import LayerFormats
from rtl.design.arithmetic import Multiples, Target, Term, activate, cut_product, sum_of_products
from rtl.design.block import Block, wire


@dataclass(frozen=True)
class InputCode:
    """What is known of an input: which bits of it, and of three times it, can be 1, and its largest value."""

    once: int
    thrice: int
    largest: int

    @classmethod
    def of(cls, codes: Sequence[int] | npt.NDArray[np.integer[Any]]) -> InputCode:
        """For an input that only takes the given codes."""
        array = np.asarray(codes, dtype=np.int64)
        return cls(int(np.bitwise_or.reduce(array)), int(np.bitwise_or.reduce(3 * array)), int(array.max()))

    def multiples(self, once: Value, thrice: Value) -> Multiples:
        """The input with constant zeros for bits that cannot be 1, so that these take no gates."""
        return Multiples(Term(_possible(once, self.once), self.largest),
                         Term(_possible(thrice, self.thrice), 3 * self.largest))


def _possible(value: Value, bits: int) -> Value:
    return Cat(value[i] if bits >> i & 1 else 0 for i in range(bits.bit_length()))


@dataclass(frozen=True)
class Sums:
    """The sum of `n` cut products and a bias: its LSB, its width, and the excess that unsigned weights add."""

    layer: LayerFormats
    data: FixedPoint
    n: int

    def __post_init__(self) -> None:
        """Raises InputError for a product that is cut by more bits than a weight has below its sign."""
        if self.cut >= self.layer.weight.width:
            raise InputError(f"RTL of a product of {self.data} x {self.layer.weight} cut by {self.cut} bits is not "
                             f"supported, expected at most {self.layer.weight.width - 1}")

    @property
    def fraction_bits(self) -> int:
        """The LSB of the sum is 2^-fraction_bits."""
        return self.layer.product_fraction_bits(self.data)

    @property
    def cut(self) -> int:
        """Low bits that are cut off each product."""
        return self.data.fraction_bits + self.layer.weight.fraction_bits - self.fraction_bits

    @property
    def width(self) -> int:
        """Bits that hold the sum exactly; the excess is subtracted modulo 2^width, so more are never needed."""
        return self.layer.accumulator(self.data, self.n).width

    @property
    def _bias_shift(self) -> int:
        return self.fraction_bits - self.layer.bias.fraction_bits

    def excess_of(self, code_sum: Any) -> Any:
        """The excess of unsigned weights and bias, from the sum of the inputs: equal for all outputs of a layer."""
        bias_sign = 1 << (self.layer.bias.width - 1 + self._bias_shift)
        return (code_sum << (self.layer.weight.width - 1 - self.cut)) + bias_sign

    @property
    def excess_bits(self) -> int:
        """Width of the largest excess."""
        return int(self.excess_of(self.n * self.data.max_code)).bit_length()

    def start(self, bias: Value) -> Term:
        """The sum before the first product."""
        return Term(_unsigned(bias), (1 << self.layer.bias.width) - 1).shifted(self._bias_shift)

    def add(self, m: Module, start: Term, inputs: Sequence[InputCode], ports: Any, target: Target) -> Value:
        """`start` plus the products of `inputs`, whose values are at `ports.code`, `.thrice` and `.weight`."""
        products = [
            cut_product(m, _unsigned(ports.weight[k]), known.multiples(ports.code[k], ports.thrice[k]), self.cut)
            for k, known in enumerate(inputs)
        ]
        return sum_of_products(start, products, target)

    def output(self, m: Module, total: Value, excess: Value) -> Value:
        """The output code of the sum of all products and the bias."""
        exact = wire(m, (total - excess)[: self.width], "exact")
        return activate(m, exact, self.fraction_bits, self.layer.output)


def product_ports(layer: LayerFormats, data: FixedPoint, n: int) -> dict[str, Any]:
    """Ports of `n` products: the inputs, three times each, and their weights."""
    return {
        "code": In(ArrayLayout(unsigned(data.width), n)),
        "thrice": In(ArrayLayout(unsigned(data.width + 2), n)),
        "weight": In(ArrayLayout(unsigned(layer.weight.width), n)),
    }


def _digest(*content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:6]


class Neuron(Block):
    """One dense output, or one filter at one pixel of the convolution.

    Ports: `code`, `thrice` and `weight` are the inputs, three times each of them, and their weights; `excess` is that
    of `Sums`, `bias` the code of the bias. A neuron without inputs lacks the first three ports and depends on its bias
    alone.
    """

    def __init__(self, layer: LayerFormats, data: FixedPoint, inputs: Sequence[InputCode], target: Target) -> None:
        self.sums, self.inputs, self.target = Sums(layer, data, len(inputs)), tuple(inputs), target
        self.large = len(inputs) > 0
        super().__init__(f"neuron_{len(inputs)}_inputs_{_digest(layer, data, self.inputs, target)}", {
            **(product_ports(layer, data, len(inputs)) if inputs else {}),
            "excess": In(unsigned(self.sums.excess_bits)),
            "bias": In(signed(layer.bias.width)),
            "result": Out(unsigned(layer.output.width)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = self.sums.add(m, self.sums.start(self.bias), self.inputs, self, self.target)
        m.d.comb += self.result.eq(self.sums.output(m, total, self.excess))
        return m


class PartialSum(Block):
    """Some products of one output, added to the sum so far."""

    large = True

    def __init__(self, sums: Sums, inputs: Sequence[InputCode], target: Target) -> None:
        self.sums, self.inputs, self.target = sums, tuple(inputs), target
        super().__init__(f"partial_{len(inputs)}_of_{sums.n}_{_digest(sums, self.inputs, target)}", {
            **product_ports(sums.layer, sums.data, len(inputs)),
            "subtotal": In(unsigned(sums.width)),
            "total": Out(unsigned(sums.width)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        subtotal = Term(self.subtotal, (1 << self.sums.width) - 1)
        m.d.comb += self.total.eq(self.sums.add(m, subtotal, self.inputs, self, self.target))
        return m


class Products(Block):
    """The cut products of one output, each as one number."""

    large = True

    def __init__(self, sums: Sums, inputs: Sequence[InputCode], target: Target) -> None:
        self.sums, self.inputs, self.target = sums, tuple(inputs), target
        largest_weight = (1 << sums.layer.weight.width) - 1
        self.largest = tuple(largest_weight * known.largest >> sums.cut for known in self.inputs)
        self.width = max(self.largest, default=0).bit_length()
        super().__init__(f"products_{len(inputs)}_{_digest(sums, self.inputs, target)}", {
            **product_ports(sums.layer, sums.data, len(inputs)),
            "product": Out(ArrayLayout(unsigned(self.width), len(inputs))),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        for k, known in enumerate(self.inputs):
            product = cut_product(m, _unsigned(self.weight[k]), known.multiples(self.code[k], self.thrice[k]),
                                  self.sums.cut)
            m.d.comb += self.product[k].eq(sum_of_products(None, [product], self.target))
        return m


class ProductSum(Block):
    """The sum of the results of `Products`, to which `with_start` adds the bias, its code at `start`."""

    large = True

    def __init__(self, products: Products, with_start: bool) -> None:
        self.products, self.with_start = products, with_start
        sums = products.sums
        super().__init__(f"{products.module_name}_sum{'_from_bias' * with_start}", {
            **({"product": In(products.product.shape())} if products.inputs else {}),
            **({"start": In(signed(sums.layer.bias.width))} if with_start else {}),
            "total": Out(unsigned(sums.width)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        terms = [Term(self.product[k], largest) for k, largest in enumerate(self.products.largest)]
        if self.with_start:
            terms.insert(0, self.products.sums.start(self.start))
        while len(terms) > 1:
            terms = [a.plus(b) for a, b in zip(terms[0::2], terms[1::2], strict=False)] + terms[len(terms) & ~1 :]
        m.d.comb += self.total.eq(terms[0].value)
        return m


class Activation(Block):
    """The output code of a complete sum."""

    def __init__(self, sums: Sums) -> None:
        self.sums = sums
        super().__init__(f"activation_{sums.n}_{_digest(sums)}", {
            "total": In(unsigned(sums.width)),
            "excess": In(unsigned(sums.excess_bits)),
            "result": Out(unsigned(sums.layer.output.width)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.result.eq(self.sums.output(m, self.total, self.excess))
        return m


def _unsigned(code: Value) -> Value:
    """A two's complement code plus 2^(width-1)."""
    return Cat(code[:-1], ~code[-1])
