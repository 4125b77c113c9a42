"""Exact integer arithmetic for gates: sums of cut products without a multiplier, rounding, leading ones.

A signed weight w of W bits is replaced by the unsigned u = w + 2^(W-1), whose bits are those of w with the top one
inverted. Then floor(w h / 2^c) = floor(u h / 2^c) - 2^(W-1-c) h. Summed over all products of an output, the last term
is the sum of the inputs times a constant, which all outputs of a layer share; the bias is shifted in the same way.
Signs matter only in the last step. u is split into digits of two bits: a digit selects 0, h, 2 h or 3 h, and all
outputs share 3 h too. What remains of a product is one selected row for every two bits of weight, and a small carry out
of the columns that are cut. The rows of all products go into one sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Cat, Module, Mux, Value

from models.fixed_point import FixedPoint
from rtl.design.block import wire

Target = Literal["fpga", "asic"]
"""How sums are written: as adders for carry chains (fpga), or open, to become one tree of full adders (asic)."""

_DIGIT_BITS = 2
_CHAIN = 4  # products per chain of adders: longer chains save little and are slower


@dataclass(frozen=True)
class Term:
    """An unsigned number and the largest value it can take."""

    value: Value
    largest: int

    def shifted(self, n: int) -> Term:
        """Times 2^n; a negative n drops bits."""
        return Term(self.value << n, self.largest << n) if n >= 0 else Term(self.value[-n:], self.largest >> -n)

    def low(self, n: int) -> Term:
        """The lowest `n` bits."""
        return Term(self.value[:n], min(self.largest, (1 << n) - 1))

    def plus(self, other: Term, carry: Value | None = None) -> Term:
        """The sum, no wider than it needs to be, with an optional carry-in bit."""
        largest = self.largest + other.largest + (carry is not None)
        if carry is None:
            wide = self.value + other.value
        else:
            wide = (Cat(carry, self.value) + Cat(carry, other.value))[1:]
        return Term(wide[: largest.bit_length()], largest)


@dataclass(frozen=True)
class Multiples:
    """An input code and three times that code."""

    once: Term
    thrice: Term


@dataclass(frozen=True)
class CutProduct:
    """The terms of floor(u h / 2^cut): rows, least significant digit first, and single carry bits."""

    rows: tuple[Term, ...]
    carries: tuple[Value, ...]


def cut_product(m: Module, weight: Value, code: Multiples, cut: int) -> CutProduct:
    """The terms of floor(weight * code / 2^cut), both factors unsigned."""
    rows = [_select(m, weight[start : start + 2], code) for start in range(0, len(weight), 2)]
    kept = tuple(row.shifted(2 * i - cut) for i, row in enumerate(rows))
    if cut <= _DIGIT_BITS:  # columns 0 and 1 hold only bits of row 0: nothing is carried out of them
        return CutProduct(kept, ())
    below = [rows[0].low(cut).shifted(-2)]
    below += [row.low(cut - 2 * i).shifted(2 * i - 2) for i, row in enumerate(rows) if 0 < 2 * i < cut]
    carry = wire(m, _tree([term.value for term in below])[cut - 2 :], "carry")
    most = sum(term.largest for term in below) >> cut - 2
    return CutProduct(kept, tuple(carry >= n for n in range(1, most + 1)))


def _select(m: Module, digit: Value, code: Multiples) -> Term:
    """One digit of one or two bits times the code."""
    low = Mux(digit[0], code.once.value, 0)
    if len(digit) == 1:
        return Term(low, code.once.largest)
    high = Mux(digit[0], code.thrice.value, code.once.value << 1)
    return Term(wire(m, Mux(digit[1], high, low), "row"), code.thrice.largest)


def sum_of_products(start: Term | None, products: Sequence[CutProduct], target: Target) -> Value:
    """The unsigned sum of `start`, if there is one, and of products that have the same number of rows."""
    if target == "asic":
        return _tree(([start.value] if start else []) + [row.value for product in products for row in product.rows]
                     + [carry for product in products for carry in product.carries])
    chains = [_chain(None if first else start, products[first : first + _CHAIN])
              for first in range(0, max(len(products), 1), _CHAIN)]
    while len(chains) > 1:
        paired = [a.plus(b) for a, b in zip(chains[0::2], chains[1::2], strict=False)]
        chains = paired + chains[len(chains) & ~1 :]
    return chains[0].value


def _chain(start: Term | None, products: Sequence[CutProduct]) -> Term:
    """Add row after row, short rows of low digits first; a selection shares the look-up table of its adder bit."""
    rows = [row for digit in zip(*(product.rows for product in products), strict=True) for row in digit]
    carries = [carry for product in products for carry in product.carries]
    result = rows.pop(0) if start is None else start
    for row in rows:
        result = result.plus(row, carries.pop() if carries else None)
    for carry in carries:
        result = result.plus(Term(carry, 1))
    return result


def _tree(values: Sequence[Value]) -> Value:
    """The sum as a balanced tree, every node wide enough."""
    if len(values) == 1:
        return values[0]
    paired = [a + b for a, b in zip(values[0::2], values[1::2], strict=False)]
    return _tree(paired + list(values[len(values) & ~1 :]))


def activate(m: Module, accumulator: Value, fraction_bits: int, output: FixedPoint) -> Value:
    """ReLU, then rounding and overflow of `output`; the accumulator is two's complement with LSB 2^-fraction_bits."""
    shift = fraction_bits - output.fraction_bits
    positive = wire(m, Mux(accumulator[-1], 0, accumulator[:-1]), "positive")
    if output.rounding == "half_even" and shift:
        # Half to even: add half an LSB less one, plus one more when the kept part is odd.
        positive = wire(m, positive + ((1 << (shift - 1)) - 1) + positive[shift], "rounded")
    kept = positive[shift:]
    code, above = kept[: output.width], kept[output.width :]
    return Mux(above.any(), (1 << output.width) - 1, code) if output.overflow == "saturate" and len(above) else code


def leading_one(value: Value) -> tuple[Value, Value]:
    """(position of the highest 1, whether there is one); the position in a zero is 0."""
    width = 1 << (len(value) - 1).bit_length()
    return _leading_one(Cat(value, *[0] * (width - len(value))))


def _leading_one(value: Value) -> tuple[Value, Value]:
    if len(value) == 1:
        return value[:0], value
    low, _ = _leading_one(value[: len(value) // 2])
    high, any_high = _leading_one(value[len(value) // 2 :])
    return Cat(Mux(any_high, high, low), any_high), value.any()
