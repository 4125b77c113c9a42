"""The folded encoder, in fewer gates: a slice of the pixels per clock, their products added to running sums.

Sums of integers are exact in any order. The pipeline of an event that is taken in clock 0, with pixels, or the filters
of each, in `fold` slices:

clock 0: module sum; 1: input codes; 2 + p: window of slice p; 3 + p: its hidden codes; 4 + p: their products;
4 + fold: outputs, valid one clock later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.errors import InputError
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, N_TRIGGER_CELLS
from rtl.design.arithmetic import Target
from rtl.design.block import Block
from rtl.design.encoder import WeightBits, hidden_codes, live_cells, sum_of
from rtl.design.layers import Activation, InputCode, Neuron, PartialSum, Sums
from rtl.design.normaliser import SHIFT_BITS, ChannelShifter, ModuleSum


def select(index: Value, values: Sequence[Value]) -> Value:
    """`values[index]` as a tree of two-way multiplexers."""
    if len(values) == 1:
        return values[0]
    pairs = [Mux(index[0], b, a) for a, b in zip(values[0::2], values[1::2], strict=False)]
    return select(index[1:], pairs + list(values[len(values) & ~1 :]))


class WeightSelect(Block):
    """The weights of one dense output that belong to slice `phase`."""

    large = True
    kind = "weight_select"

    def __init__(self, width: int, n_weights: int, fold: int) -> None:
        self.word = width * n_weights // fold
        super().__init__(f"{self.kind}_{n_weights}_by_{fold}", {
            "weights": In(unsigned(width * n_weights)),
            "phase": In(range(fold)),
            "weight": Out(unsigned(self.word)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.weight.eq(self.selected(self.phase))
        return m

    def selected(self, phase: Value) -> Value:
        """The weights that belong to slice `phase`."""
        return select(phase, [self.weights[k : k + self.word] for k in range(0, len(self.weights), self.word)])


class Window(Block):
    """The input codes under one pixel of each slice, three times each of them, and their excess for its neurons.

    `pixels` lists, for each slice, the (kernel cell, channel) pairs of the pixel. A kernel cell with a channel in any
    slice has an output, which is zero in the other slices.
    """

    def __init__(self, name: str, pixels: Sequence[Sequence[tuple[int, int]]], spec: EncoderSpec) -> None:
        self.channels = [dict(pixel) for pixel in pixels]
        self.cells = sorted({cell for pixel in self.channels for cell in pixel})
        self.sums = Sums(spec.conv, spec.input, len(self.cells))
        width, n = spec.input.width, len(self.cells)
        super().__init__(name, {
            "image_code": In(ArrayLayout(unsigned(width), N_TRIGGER_CELLS)),
            "phase": In(range(len(pixels))),
            "code": Out(ArrayLayout(unsigned(width), n)),
            "thrice": Out(ArrayLayout(unsigned(width + 2), n)),
            "excess": Out(unsigned(self.sums.excess_bits)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        for k, cell in enumerate(self.cells):
            seen = [self.image_code[pixel[cell]] if cell in pixel else Value.cast(0) for pixel in self.channels]
            m.d.comb += [self.code[k].eq(select(self.phase, seen)),
                         self.thrice[k].eq((self.code[k] << 1) + self.code[k])]
        m.d.comb += self.excess.eq(self.sums.excess_of(sum_of([self.code[k] for k in range(len(self.cells))])))
        return m


@dataclass(frozen=True)
class Slices:
    """What is computed in each clock of an event: a pixel of every slot, and of each the filters of a group.

    With at most one slice per pixel, all filters are one group. With more, there is one slot, and the groups of a pixel
    follow each other: the low bits of a slice's number are that of its group, the others that of its pixel.
    """

    slots: tuple[tuple[tuple[tuple[int, int], ...], ...], ...]
    """For each slot, the live cells of the pixels that it computes one after the other."""
    groups: int
    filters: int
    """Number of filters of a group."""

    @classmethod
    def of(cls, spec: EncoderSpec, fold: int) -> Slices:
        """Raises InputError unless `fold` slices take the same number of pixels, or of filters of a pixel, each."""
        n_pixels, n_filters = spec.conv.size**2, spec.conv.filters
        possible = [n for n in range(1, n_pixels) if n_pixels % n == 0]
        possible += [n_pixels << k for k in range(n_filters.bit_length()) if n_filters % (1 << k) == 0]
        if fold not in possible:
            raise InputError(f"rtl.fold {fold} does not split the {n_pixels} pixels of the convolution, or the "
                             f"{n_filters} filters of each, evenly, expected one of {', '.join(map(str, possible))}")
        n_slots, groups = max(n_pixels // fold, 1), max(fold // n_pixels, 1)
        cells = [tuple(pixel) for pixel in live_cells(spec)]
        return cls(tuple(tuple(cells[slot::n_slots]) for slot in range(n_slots)), groups, n_filters // groups)

    def pixel(self, phase: Value) -> Value:
        """Which pixel of each slot slice `phase` computes."""
        return phase[self._group_bits :] if self._group_bits else phase

    def group(self, phase: Value) -> Value:
        """Which group of filters slice `phase` computes."""
        return phase[: self._group_bits]

    @property
    def _group_bits(self) -> int:
        return (self.groups - 1).bit_length()

    def members(self, position: int) -> range:
        """The filter at this position in each group."""
        return range(position, self.groups * self.filters, self.filters)


def encoder_ports(spec: EncoderSpec, weight_bits: int, slices: Slices) -> dict[str, Any]:
    """Ports of an encoder with slices."""
    return {
        "start": In(1),
        "calq": In(ArrayLayout(unsigned(CALQ_BITS), N_TRIGGER_CELLS)),
        "weights": In(unsigned(weight_bits)),
        "image_code": Out(ArrayLayout(unsigned(spec.input.width), N_TRIGGER_CELLS)),
        "hidden_code": Out(ArrayLayout(unsigned(spec.conv.output.width), len(slices.slots) * slices.filters)),
        "output_code": Out(ArrayLayout(unsigned(spec.dense.output.width), spec.dense.outputs)),
        "module_sum": Out(unsigned(CALQ_BITS)),
    }


class FoldedEncoder(Block):
    """An encoder that takes a new event, marked by `start`, every `fold` clocks.

    Weights must not change while an event is being processed. `hidden_code` shows the codes of one slice per clock, in
    the order (pixel, filter).
    """

    clocked = True

    def __init__(self, spec: EncoderSpec, weight_bits: int, target: Target, fold: int) -> None:
        """Raises InputError for a `fold` that leaves pixels or filters over."""
        conv, self._slicing = spec.conv, Slices.of(spec, fold)
        self.spec, self.interval, self.latency = spec, fold, fold + 5
        self.observed = {"image_code": range(2, 3), "hidden_code": range(4, 4 + fold),
                         "output_code": range(self.latency, self.latency + 1)}
        super().__init__("folded_encoder", encoder_ports(spec, weight_bits, self._slicing))
        self._sum = self.uses(ModuleSum())
        self._shifter = self.uses(ChannelShifter(spec.input))
        any_code = InputCode.of(range(spec.input.max_code + 1))
        self._windows = [self.uses(Window(f"window_{k}", pixels, spec)) for k, pixels in enumerate(self._slicing.slots)]
        self._filters = [self.uses(Neuron(conv, spec.input, [any_code] * len(window.cells), target))
                         for window in self._windows]
        self._sums = Sums(spec.dense, conv.output, spec.n_hidden)
        hidden = [hidden_codes(spec, len(window.cells)) for window in self._windows
                  for _ in range(self._slicing.filters)]
        self._partial = self.uses(PartialSum(self._sums, hidden, target))
        self._activation = self.uses(Activation(self._sums))
        self._select = self.uses(WeightSelect(spec.dense.weight.width, spec.n_hidden, fold))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        module_sum = self._normalise(m)
        phase, running = self._slices(m)
        for stage in range(3):  # window, hidden codes, products
            following = Signal(CALQ_BITS, name=f"module_sum_{stage}")
            with m.If(running & (phase == 0)):
                m.d.sync += following.eq(module_sum)
            module_sum = following
            if stage == 0:
                windows = self._window(m, phase, running)
            elif stage == 1:
                self._conv(m, windows, phase, running)
            else:
                total, excess = self._dense(m, phase, running)
            last = running & (phase == self.interval - 1)
            phase, running = self._delayed(m, stage, phase, running)
        done = Signal()
        m.d.sync += done.eq(last)
        with m.If(done):
            m.d.sync += self.module_sum.eq(module_sum)
            for j, sum_ in enumerate(total):
                output = self.place(m, f"activation_{j}", self._activation, total=sum_, excess=excess)["result"]
                m.d.sync += self.output_code[j].eq(output)
        return m

    def _normalise(self, m: Module) -> Value:
        """Turn charges into input codes in two clocks; returns the module sum that goes with the codes."""
        found = self.place(m, "sum", self._sum, calq=self.calq)
        calq, first_sum, second_sum = (Signal.like(like, name=name) for like, name in
                                       ((self.calq, "kept_calq"), (self.module_sum, "sum_of_kept"),
                                        (self.module_sum, "sum_of_codes")))
        shift, nonzero, self._started = Signal(SHIFT_BITS), Signal(), Signal()
        m.d.sync += self._started.eq(self.start)
        with m.If(self.start):
            m.d.sync += [calq.eq(self.calq), first_sum.eq(found["module_sum"]), shift.eq(found["shift"]),
                         nonzero.eq(found["nonzero"])]
        codes = Signal.like(self.image_code)
        for k in range(N_TRIGGER_CELLS):
            channel = self.place(m, f"channel_{k}", self._shifter, charge=calq[k], shift=shift, enable=nonzero)
            m.d.comb += codes[k].eq(channel["code"])
        with m.If(self._started):
            m.d.sync += [self.image_code.eq(codes), second_sum.eq(first_sum)]
        return second_sum

    def _slices(self, m: Module) -> tuple[Value, Value]:
        """The number of the slice and whether there is one, from the clock of the input codes on."""
        phase = Signal(range(self.interval))
        running = Signal()
        with m.If(self._started):
            m.d.sync += [phase.eq(0), running.eq(1)]
        with m.Elif(phase == self.interval - 1):
            m.d.sync += running.eq(0)
        with m.Else():
            m.d.sync += phase.eq(phase + 1)
        return phase, running

    def _delayed(self, m: Module, stage: int, phase: Value, running: Value) -> tuple[Value, Value]:
        later_phase, later = Signal.like(phase, name=f"phase_{stage}"), Signal(name=f"running_{stage}")
        m.d.sync += [later_phase.eq(phase), later.eq(running)]
        return later_phase, later

    def _window(self, m: Module, phase: Value, running: Value) -> list[dict[str, Value]]:
        """Registers with the inputs of the neurons of each slot."""
        windows = []
        for slot, block in enumerate(self._windows):
            found = self.place(m, f"window_{slot}", block, image_code=self.image_code,
                               phase=self._slicing.pixel(phase))
            kept = {name: Signal.like(value, name=f"window_{slot}_kept_{name}") for name, value in found.items()}
            with m.If(running):
                m.d.sync += [kept[name].eq(value) for name, value in found.items()]
            windows.append(kept)
        return windows

    def _conv(self, m: Module, windows: Sequence[dict[str, Value]], phase: Value, running: Value) -> None:
        weights, slicing = WeightBits(self.spec, self.weights), self._slicing
        group = slicing.group(phase)
        for slot, (kept, window, neuron) in enumerate(zip(windows, self._windows, self._filters, strict=True)):
            for position in range(slicing.filters):
                filters = slicing.members(position)
                bias = select(group, [weights.conv_bias(f) for f in filters])
                inputs = dict(kept) if window.cells else {"excess": kept["excess"]}
                if window.cells:
                    inputs["weight"] = select(group, [Cat(weights.conv(cell, f) for cell in window.cells)
                                                      for f in filters])
                output = self.place(m, f"conv_{slot}_{position}", neuron, bias=bias, **inputs)["result"]
                with m.If(running):
                    m.d.sync += self.hidden_code[slot * slicing.filters + position].eq(output)

    def _dense(self, m: Module, phase: Value, running: Value) -> tuple[list[Value], Value]:
        """The running sums, complete after the last slice, and their common excess."""
        spec, weights, n = self.spec, WeightBits(self.spec, self.weights), len(self._partial.inputs)
        codes = [self.hidden_code[k] for k in range(n)]
        thrice = Signal(ArrayLayout(unsigned(spec.conv.output.width + 2), n))
        m.d.comb += [thrice[k].eq((code << 1) + code) for k, code in enumerate(codes)]
        first = Signal()
        m.d.comb += first.eq(phase == 0)
        code_sum = Signal(range(spec.n_hidden * spec.conv.output.max_code + 1))
        with m.If(running):
            m.d.sync += code_sum.eq(Mux(first, 0, code_sum) + sum_of(codes))
        totals: list[Value] = []
        for j in range(spec.dense.outputs):
            selected = self.place(m, f"select_{j}", self._select, phase=phase,
                                  weights=Cat(weights.dense(k, j) for k in range(spec.n_hidden)))["weight"]
            total = Signal(self._sums.width, name=f"total_{j}")
            subtotal = Mux(first, self._sums.start(weights.dense_bias(j)).value, total)
            after = self.place(m, f"dense_{j}", self._partial, code=self.hidden_code, thrice=thrice, weight=selected,
                               subtotal=subtotal)["total"]
            with m.If(running):
                m.d.sync += total.eq(after)
            totals.append(total)
        excess = Signal(self._sums.excess_bits)
        m.d.comb += excess.eq(self._sums.excess_of(code_sum))
        return totals, excess
