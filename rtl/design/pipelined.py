"""The folded encoder with more registers, for a faster clock: sums in several clocks, weights selected a clock ahead.

The pipeline of an event that is taken in clock 0, with the pixels in `fold` slices:

clock 0, 1: module sum; 2: its leading one; 3: input codes; 4 + p: window of slice p; 5 + p: three times its codes;
6 + p: products; 7 + p: their sums; 8 + p: hidden codes; 9 + p: three times these, and the weights they meet;
10 + p: products; 11 + p: their sums; 12 + p: running sums; 12 + fold: outputs, valid one clock later.

Registers flow in every clock; what they hold between events is not used.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, N_TRIGGER_CELLS
from rtl.design.arithmetic import Target, leading_one
from rtl.design.block import Block
from rtl.design.encoder import WeightBits, hidden_codes, sum_of
from rtl.design.folded import Slices, WeightSelect, encoder_ports, select
from rtl.design.layers import Activation, InputCode, Products, ProductSum, Sums
from rtl.design.normaliser import SHIFT_BITS, ChannelShifter, wrapping_sum

_CODES, _WINDOW, _CONV, _HIDDEN, _DENSE = 3, 4, 6, 8, 10
"""Clock of the input codes; for slice 0, those of window, products, hidden codes, and products of the dense layer."""
_TOTAL = 12
_CHARGES_PER_SUM = 8  # three levels of adders


class ShiftedChannel(Block):
    """The input code of a channel, kept until the next event's.

    The shift of charges arrives two clocks after them, with `valid`. Each channel has copies of shift and `valid`, and
    delays its charges without an enable: one that all channels share would be the slowest net.
    """

    clocked = True

    def __init__(self, data: FixedPoint) -> None:
        shifter = ChannelShifter(data)
        super().__init__("shifted_channel", {
            "charge": In(unsigned(CALQ_BITS)),
            "shift": In(unsigned(SHIFT_BITS)),
            "enable": In(1),
            "valid": In(1),
            "code": Out(unsigned(data.width)),
        })
        self._shifter = self.uses(shifter)

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        found = self.place(m, "shifter", self._shifter, charge=_delayed(m, self.charge, _CODES, "charge"),
                           shift=_registered(m, self.shift, "own_shift"),
                           enable=_registered(m, self.enable, "own_enable"))
        with m.If(_registered(m, self.valid, "own_valid")):
            m.d.sync += self.code.eq(found["code"])
        return m


class SelectedWeights(WeightSelect):
    """The weights of one dense output that belong to slice `phase`, two clocks later.

    Each output has a copy of the phase, which would otherwise drive the selection of every weight.
    """

    clocked = True
    kind = "selected_weights"

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        own_phase = Signal.like(self.phase)
        m.d.sync += [own_phase.eq(self.phase), self.weight.eq(self.selected(own_phase))]
        return m


class PipelinedEncoder(Block):
    """An encoder with the ports and the interval of `FoldedEncoder`, and six or seven more clocks of latency.

    Weights must not change while an event is being processed.
    """

    clocked = True

    def __init__(self, spec: EncoderSpec, weight_bits: int, target: Target, fold: int) -> None:
        """Raises InputError for a `fold` that leaves pixels or filters over."""
        self._slicing = Slices.of(spec, fold)
        self.spec, self.interval, self.latency = spec, fold, _TOTAL + fold + 1
        self.observed = {"image_code": range(_CODES + 1, _CODES + 2),
                         "hidden_code": range(_HIDDEN + 1, _HIDDEN + 1 + fold),
                         "output_code": range(self.latency, self.latency + 1)}
        super().__init__("pipelined_encoder", encoder_ports(spec, weight_bits, self._slicing))
        self._slots = [[dict(pixel) for pixel in pixels] for pixels in self._slicing.slots]
        self._cells = [sorted({cell for pixel in pixels for cell in pixel}) for pixels in self._slots]
        self._channel = self.uses(ShiftedChannel(spec.input))
        any_code = InputCode.of(range(spec.input.max_code + 1))
        conv, dense = spec.conv, spec.dense
        self._conv_sums = [Sums(conv, spec.input, len(cells)) for cells in self._cells]
        self._conv_products = [self.uses(Products(sums, [any_code] * sums.n, target)) for sums in self._conv_sums]
        self._conv_totals = [self.uses(ProductSum(products, with_start=True)) for products in self._conv_products]
        self._conv_activations = [self.uses(Activation(sums)) for sums in self._conv_sums]
        self._dense_sums = Sums(dense, conv.output, spec.n_hidden)
        hidden = [hidden_codes(spec, len(cells)) for cells in self._cells for _ in range(self._slicing.filters)]
        self._dense_products = self.uses(Products(self._dense_sums, hidden, target))
        self._dense_totals = self.uses(ProductSum(self._dense_products, with_start=False))
        self._dense_activation = self.uses(Activation(self._dense_sums))
        self._selected = self.uses(SelectedWeights(dense.weight.width, spec.n_hidden, fold))
        groups = self._slicing.groups
        self._filter_weights = [self.uses(SelectedWeights(conv.weight.width, len(cells) * groups, groups))
                                for cells in self._cells if groups > 1]

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        module_sum = self._normalise(m)
        phase = Signal(range(self.interval))
        started = _delayed(m, self.start, _CODES, "started")
        m.d.sync += phase.eq(Mux(started, 0, phase + 1))
        self._conv(m, phase)
        totals, excess = self._dense(m, phase)
        for j, total in enumerate(totals):
            found = self.place(m, f"activation_{j}", self._dense_activation, total=total, excess=excess)
            m.d.sync += self.output_code[j].eq(found["result"])
        # From the last clock in which it is kept on: the next event may follow.
        m.d.sync += self.module_sum.eq(_delayed(m, module_sum, _TOTAL - _CODES, "module_sum"))
        return m

    def _normalise(self, m: Module) -> Value:
        """Turn charges into input codes in four clocks; returns the module sum, kept until the next event's codes."""
        parts = [_registered(m, wrapping_sum([self.calq[k] for k in range(first, last)], CALQ_BITS), f"sum_of_{first}")
                 for first, last in _ranges(N_TRIGGER_CELLS, _CHARGES_PER_SUM)]
        module_sum = _registered(m, wrapping_sum(parts, CALQ_BITS), "sum_of_charges")
        position, nonzero = leading_one(module_sum)
        shifted = _delayed(m, self.start, _CODES - 1, "start_of_shift")
        for k in range(N_TRIGGER_CELLS):
            channel = self.place(m, f"channel_{k}", self._channel, charge=self.calq[k], shift=position, enable=nonzero,
                                 valid=shifted)
            m.d.comb += self.image_code[k].eq(channel["code"])
        sum_of_codes, sum_of_shift = Signal(CALQ_BITS), _registered(m, module_sum, "sum_of_shift")
        with m.If(_registered(m, shifted, "start_of_codes")):
            m.d.sync += sum_of_codes.eq(sum_of_shift)
        return sum_of_codes

    def _conv(self, m: Module, phase: Value) -> None:
        """Five clocks from input codes to the hidden codes of each slot."""
        weights, slicing = WeightBits(self.spec, self.weights), self._slicing
        pixel, group = slicing.pixel(phase), slicing.group(phase)
        group_of_bias = slicing.group(_delayed(m, phase, 2, "phase_of_bias")) if slicing.groups > 1 else group
        for slot, (pixels, cells) in enumerate(zip(self._slots, self._cells, strict=True)):
            sums, products, name = self._conv_sums[slot], self._conv_products[slot], f"slot_{slot}"
            seen = [select(pixel, [self.image_code[pixel_[cell]] if cell in pixel_ else Value.cast(0)
                                   for pixel_ in pixels]) for cell in cells]
            codes, thrice, code_sum = _multiples(m, [_registered(m, code, f"{name}_code_{k}")
                                                     for k, code in enumerate(seen)], name)
            excess = _delayed(m, sums.excess_of(code_sum)[: sums.excess_bits], _HIDDEN - _CONV, f"{name}_excess")
            for k in range(slicing.filters):
                weight = Cat(weights.conv(cell, f) for f in slicing.members(k) for cell in cells)
                start = select(group_of_bias, [weights.conv_bias(f) for f in slicing.members(k)])
                if slicing.groups > 1:
                    start = _registered(m, start, f"{name}_bias_{k}")
                    weight = self.place(m, f"filter_weights_{slot}_{k}", self._filter_weights[slot], weights=weight,
                                        phase=group)["weight"]
                kept = {}
                if cells:
                    found = self.place(m, f"conv_{slot}_{k}", products, code=Cat(codes), thrice=Cat(thrice),
                                       weight=weight)
                    kept["product"] = _registered(m, found["product"].as_value(), f"{name}_products_{k}")
                total = self.place(m, f"conv_sum_{slot}_{k}", self._conv_totals[slot], start=start, **kept)["total"]
                result = self.place(m, f"conv_activation_{slot}_{k}", self._conv_activations[slot],
                                    total=_registered(m, total, f"{name}_total_{k}"), excess=excess)["result"]
                m.d.sync += self.hidden_code[slot * slicing.filters + k].eq(result)

    def _dense(self, m: Module, phase: Value) -> tuple[list[Value], Value]:
        """The running sums, complete after the last slice, and their common excess."""
        spec, weights, sums = self.spec, WeightBits(self.spec, self.weights), self._dense_sums
        n = len(self._dense_products.inputs)
        codes, thrice, code_sum = _multiples(m, [self.hidden_code[k] for k in range(n)], "hidden")
        ahead = _delayed(m, phase, _HIDDEN - _WINDOW, "phase_of_weights")  # a clock early: each selection has its own
        first = _registered(m, _delayed(m, phase, _TOTAL - _WINDOW - 1, "phase_of_total") == 0, "first")
        sum_of_codes = Signal(range(spec.n_hidden * spec.conv.output.max_code + 1))
        m.d.sync += sum_of_codes.eq(Mux(first, 0, sum_of_codes) + _delayed(m, code_sum, _TOTAL - _DENSE, "code_sum"))
        totals: list[Value] = []
        for j in range(spec.dense.outputs):
            weight = self.place(m, f"weights_{j}", self._selected, phase=ahead,
                                weights=Cat(weights.dense(k, j) for k in range(spec.n_hidden)))["weight"]
            found = self.place(m, f"dense_{j}", self._dense_products, weight=weight, code=Cat(codes),
                               thrice=Cat(thrice))
            kept = _registered(m, found["product"].as_value(), f"products_{j}")
            added = self.place(m, f"dense_sum_{j}", self._dense_totals, product=kept)["total"]
            total = Signal(sums.width, name=f"total_{j}")
            start = Mux(first, sums.start(weights.dense_bias(j)).value, total)
            m.d.sync += total.eq(start + _registered(m, added, f"added_{j}"))
            totals.append(total)
        excess = Signal(sums.excess_bits)
        m.d.comb += excess.eq(sums.excess_of(sum_of_codes))
        return totals, excess


def _multiples(m: Module, codes: Sequence[Value], name: str) -> tuple[list[Value], list[Value], Value]:
    """Codes, three times each of them, and their sum, a clock later."""
    once = [_registered(m, code, f"{name}_once_{k}") for k, code in enumerate(codes)]
    thrice = [_registered(m, ((code << 1) + code)[: len(code) + 2], f"{name}_thrice_{k}")
              for k, code in enumerate(codes)]
    return once, thrice, _registered(m, sum_of(list(codes)), f"{name}_sum")


def _registered(m: Module, value: Value, name: str) -> Value:
    return _delayed(m, value, 1, name)


def _delayed(m: Module, value: Value, clocks: int, name: str) -> Value:
    """`value` of this many clocks before."""
    for clock in range(clocks):
        later = Signal(len(value), name=f"{name}_after_{clock + 1}")
        m.d.sync += later.eq(value)
        value = later
    return value


def _ranges(n: int, size: int) -> list[tuple[int, int]]:
    return [(first, min(first + size, n)) for first in range(0, n, size)]
