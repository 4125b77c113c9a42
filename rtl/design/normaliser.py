"""The normaliser: each charge divided by the power of two at or below the module sum."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Value, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.fixed_point import FixedPoint
from models.trigger_cells import CALQ_BITS, N_TRIGGER_CELLS
from rtl.design.arithmetic import leading_one
from rtl.design.block import Block, wire

SHIFT_BITS = (CALQ_BITS - 1).bit_length()
"""Width of the position of a leading one."""


def shifted_right(m: Module, value: Value, shift: Value, width: int) -> Value:
    """The low `width` bits of `value >> shift`, a step per bit of the shift; steps drop bits that cannot matter."""
    for step in range(len(shift) - 1, -1, -1):
        value = wire(m, Mux(shift[step], value[1 << step :], value)[: width + (1 << step) - 1], f"shifted_{step}")
    return value[:width]


class ChannelShifter(Block):
    """One channel: from charge and shift to the input code and three times that code; 0 unless `enable`."""

    def __init__(self, data: FixedPoint) -> None:
        self.data = data
        super().__init__("channel_shifter", {
            "charge": In(unsigned(CALQ_BITS)),
            "shift": In(unsigned(SHIFT_BITS)),
            "enable": In(1),
            "code": Out(unsigned(data.width)),
            "thrice": Out(unsigned(data.width + 2)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        scaled = self.charge << self.data.fraction_bits
        if self.data.overflow == "saturate":
            whole = shifted_right(m, scaled, self.shift, len(scaled))
            code = Mux(whole[self.data.width :].any(), self.data.max_code, whole[: self.data.width])
        else:
            code = shifted_right(m, scaled, self.shift, self.data.width)
        m.d.comb += [
            self.code.eq(Mux(self.enable, code, 0)),
            self.thrice.eq((self.code << 1) + self.code),
        ]
        return m


class ModuleSum(Block):
    """The sum of the 48 charges, the position of its leading one, and whether it has one."""

    def __init__(self) -> None:
        super().__init__("module_sum", {
            "calq": In(ArrayLayout(unsigned(CALQ_BITS), N_TRIGGER_CELLS)),
            "module_sum": Out(unsigned(CALQ_BITS)),
            "shift": Out(unsigned(SHIFT_BITS)),
            "nonzero": Out(1),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift, nonzero = leading_one(self.module_sum)
        m.d.comb += [
            self.module_sum.eq(wrapping_sum([self.calq[k] for k in range(N_TRIGGER_CELLS)], CALQ_BITS)),
            self.shift.eq(shift),
            self.nonzero.eq(nonzero),
        ]
        return m


def wrapping_sum(values: Sequence[Value], width: int) -> Value:
    """The sum modulo 2^width."""
    total = values[0]
    if len(values) > 1:
        half = len(values) // 2
        total = wrapping_sum(values[:half], width) + wrapping_sum(values[half:], width)
    return total[:width]


class FloatEncoder(Block):
    """The chip's floating code of an unsigned number: exponent, then the mantissa without its leading one."""

    def __init__(self, width: int, exponent_bits: int, mantissa_bits: int) -> None:
        self.exponent_bits, self.mantissa_bits = exponent_bits, mantissa_bits
        super().__init__(f"float_encoder_{width}_{exponent_bits}e{mantissa_bits}m", {
            "value": In(unsigned(width)),
            "code": Out(unsigned(exponent_bits + mantissa_bits)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.mantissa_bits
        position = wire(m, leading_one(self.value)[0], "position")
        large = wire(m, position >= bits, "large")
        drop = wire(m, Mux(large, position - bits, 0)[: len(position)], "drop")
        mantissa = shifted_right(m, self.value, drop, bits)
        exponent = Mux(large, drop + 1, 0)
        code = Cat(mantissa, exponent[: self.exponent_bits])
        largest_exponent = len(self.value) - bits
        if largest_exponent >> self.exponent_bits:
            code = Mux(exponent[self.exponent_bits :].any(), (1 << len(self.code)) - 1, code)
        m.d.comb += self.code.eq(code)
        return m
