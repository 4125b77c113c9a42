"""A compact decoder with weights that can be reloaded: one input per clock, into the sums of all units at once.

Weights lie in memories, a row for each input of each layer and one for its biases, which meet the input 2^k that aligns
them. The sums of a layer leave through one ReLU, rounding and overflow, a unit per clock and just in time as inputs of
the next layer. Row 0 of a layer is read in clock 0: the memory has it in clock 1, each lane in clock 2 beside its copy
of the input, the products are there in clock 3 and the sums in clock 4. A layer of n inputs takes n + 5 clocks.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.arrays import Int64Array
from models.compact_decoder import INPUT, MANTISSA_BITS, CompactDecoder, CompactSpec
from rtl.design.arithmetic import activate
from rtl.design.block import Block
from rtl.results import ReloadableDesign

_LANES = 4  # of a group, which shares a memory
_SUMS = 4  # clocks from the address of a row to the sums with it
_AROUND = _SUMS + 1  # clocks of a layer beside one for each input


class Lanes(Block):
    """Four units: their weights, and the sums of the products with what comes in."""

    clocked = True

    def __init__(self, rows: int, word_bits: int, data_bits: int, sum_bits: int) -> None:
        self._rows, self._word, self._sum = rows, word_bits, sum_bits
        super().__init__(f"lanes_{rows}_{word_bits}_{data_bits}_{sum_bits}", {
            "write": In(_LANES),
            "write_row": In(range(rows)),
            "weight": In(unsigned(word_bits)),
            "row": In(range(rows)),
            "data": In(unsigned(data_bits)),
            "first": In(1),
            "sums": Out(ArrayLayout(signed(sum_bits), _LANES)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(self._word * _LANES), depth=self._rows, init=[],
                                              attrs={"ram_style": "block"})
        writing, reading = memory.write_port(granularity=self._word), memory.read_port()
        word, data, first = (Signal.like(value, name=name) for value, name in (
            (reading.data, "word"), (self.data, "own_data"), (self.first, "own_first")))
        m.d.comb += [writing.en.eq(self.write), writing.addr.eq(self.write_row),
                     writing.data.eq(self.weight.replicate(_LANES)), reading.addr.eq(self.row), reading.en.eq(1)]
        m.d.sync += [word.eq(reading.data), data.eq(self.data), first.eq(self.first)]
        for lane in range(_LANES):
            product = Signal(signed(self._word + len(data)), name=f"product_{lane}")
            m.d.sync += product.eq(word.word_select(lane, self._word).as_signed() * data)
            m.d.sync += self.sums[lane].eq(Mux(first, product, self.sums[lane] + product))
        return m


class ReloadableDecoder(Block):
    """A decoder of the shapes and formats of a spec; `write` stores a weight (see `weight_writes`).

    A module's `fields` (latents, the first one lowest, then the code of the module sum) are taken in a clock with
    `valid` and `ready`; `ready` is up again `interval` clocks later. Its 48 charges leave one in a clock with
    `charge_valid`, the first one `latency` clocks after its fields. Weights must not change in between.
    """

    clocked = True

    def __init__(self, spec: CompactSpec) -> None:
        self.spec = spec
        layers = list(zip(spec.layers, spec.data, spec.accumulators, strict=True))
        # All layers share one point: where it is finer than that of a layer, its inputs are shifted.
        self._fraction = max(layer.weight.fraction_bits + data.fraction_bits for layer, data, _ in layers)
        self._shifts = [self._fraction - layer.weight.fraction_bits - data.fraction_bits for layer, data, _ in layers]
        self._ones = [1 << self._fraction - layer.bias.fraction_bits for layer in spec.layers]
        data_bits = max(*(data.width + shift for (_, data, _), shift in zip(layers, self._shifts, strict=True)),
                        *(one.bit_length() for one in self._ones))
        sum_bits = max(total.width + self._fraction - total.fraction_bits for _, _, total in layers)
        word_bits = max(form.width for form in spec.weight_formats.values())
        self._lanes = -(-max(spec.sizes[1:]) // _LANES) * _LANES
        self._firsts = [0, *accumulate(n + 1 for n in spec.sizes[:-1])]
        self._clocks = [n + _AROUND for n in spec.sizes[:-1]]
        # Charges leave while the next module is under way, but not while its charges come.
        self._clocks[-1] += max(0, spec.sizes[-1] - sum(self._clocks))
        self.interval = sum(self._clocks)
        self.latency = sum(n + _AROUND for n in spec.sizes[:-1]) + 3
        self._group = Lanes(self._firsts[-1], word_bits, data_bits, sum_bits)
        self.address_bits = (self._firsts[-1] - 1).bit_length() + (self._lanes - 1).bit_length()
        super().__init__(f"reloadable_decoder_{spec.digest()}", {
            "write": In(1),
            "address": In(unsigned(self.address_bits)),
            "weight": In(unsigned(word_bits)),
            "fields": In(unsigned(spec.n_latents * spec.latent.width + INPUT.width)),
            "valid": In(1),
            "ready": Out(1),
            "charge": Out(unsigned(spec.layers[-1].output.width)),
            "charge_valid": Out(1),
        })
        self.uses(self._group)

    def summary(self) -> ReloadableDesign:
        """Its clocks, multipliers and memory, for a report."""
        return ReloadableDesign(
            digest=self.spec.digest(), interval_clocks=self.interval, latency_clocks=self.latency,
            multipliers=self._lanes, memory_bits=self._lanes * self._firsts[-1] * len(self.weight))

    def weight_writes(self, decoder: CompactDecoder) -> tuple[Int64Array, Int64Array]:
        """Addresses and weights (n,) that load a decoder: the unit in the low bits, above it the row."""
        low = (self._lanes - 1).bit_length()
        rows = [np.vstack([bias, kernel]).astype(np.int64) for _, kernel, bias in decoder.layers()]
        address = [np.add.outer(first + np.arange(len(part)) << low, np.arange(part.shape[1]))
                   for first, part in zip(self._firsts, rows, strict=False)]
        weight = np.concatenate([part.ravel() for part in rows])
        return np.concatenate([part.ravel() for part in address]), weight & (1 << len(self.weight)) - 1

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer, step, row = (Signal(range(n), name=name) for n, name in (
            (len(self._clocks), "layer"), (max(self._clocks), "step"), (self._firsts[-1], "row")))
        running = Signal()
        last_step, last_layer = Signal(), Signal()
        m.d.comb += [last_step.eq(step == Array(n - 1 for n in self._clocks)[layer]),
                     last_layer.eq(layer == len(self._clocks) - 1), self.ready.eq(~running | last_step & last_layer)]
        start = self.valid & self.ready
        with m.If(start):
            m.d.sync += [running.eq(1), layer.eq(0), step.eq(0), row.eq(0)]
        with m.Elif(last_step):
            m.d.sync += [running.eq(running & ~last_layer), layer.eq(layer + 1), step.eq(0),
                         row.eq(Array(self._firsts[1:])[layer])]
        with m.Else():
            m.d.sync += [step.eq(step + 1), row.eq(row + 1)]
        done = step == Array(n + _SUMS for n in self.spec.sizes[:-1])[layer]

        given = self._given(m, start, (layer == 0) & (step != 0))
        data = Signal.like(self._group.data)
        sums = self._sums(m, row, data, running & (step == 0))
        hidden, last = self.spec.layers[:-1], self.spec.layers[-1]
        passed: Value = given
        if hidden:
            total = _leaving(m, "hidden", sums[: max(self.spec.sizes[1:-1])], done)
            outputs = [activate(m, total, self._fraction, one.output) << shift
                       for one, shift in zip(hidden, self._shifts[1:], strict=True)]
            passed = Mux(layer == 0, given, Array(outputs)[layer - 1])
        m.d.sync += data.eq(Mux(step == 0, Array(self._ones)[layer], passed))

        finished = done & last_layer & running
        total = _leaving(m, "last", sums[: last.units], finished)
        left = Signal(range(last.units + 1))
        valid = Signal()
        with m.If(finished):
            m.d.sync += left.eq(last.units)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.sync += [valid.eq(left != 0), self.charge_valid.eq(valid),
                     self.charge.eq(activate(m, total, self._fraction, last.output))]
        return m

    def _given(self, m: Module, load: Value, shift: Value) -> Value:
        """The next input of the first layer."""
        width = self.spec.latent.width
        latents = [Cat(Const(0, INPUT.width - width), self.fields.word_select(k, width))
                   for k in range(self.spec.n_latents)]
        total = self.fields[-INPUT.width :]
        mantissa = Cat(Const(0, INPUT.width - 1 - MANTISSA_BITS), total[:MANTISSA_BITS], Const(0, 1))
        waiting = Signal(INPUT.width * self.spec.sizes[0], name="given")
        with m.If(load):
            m.d.sync += waiting.eq(Cat(*latents, total, mantissa))
        with m.Elif(shift):
            m.d.sync += waiting.eq(waiting >> INPUT.width)
        return waiting[: INPUT.width] << self._shifts[0]

    def _sums(self, m: Module, row: Value, data: Value, bias: Value) -> list[Value]:
        """The sums of all lanes; `bias` comes with a row of biases."""
        first, write_row = Signal(), Signal(range(self._firsts[-1]))
        weight, write = Signal.like(self.weight), Signal(self._lanes)
        low = (self._lanes - 1).bit_length()
        early = Signal()
        m.d.sync += [early.eq(bias), first.eq(early), write_row.eq(self.address[low:]), weight.eq(self.weight),
                     write.eq(self.write << self.address[:low])]
        sums: list[Value] = []
        for start in range(0, self._lanes, _LANES):
            found = self.place(m, f"lanes_{start // _LANES}", self._group, write=write[start : start + _LANES],
                               write_row=write_row, weight=weight, row=row, data=data, first=first)["sums"]
            sums += [found[lane] for lane in range(_LANES)]
        return sums


def _leaving(m: Module, name: str, sums: list[Value], load: Value) -> Value:
    """The sum of unit 0 two clocks after `load`, then those of the others, one in a clock."""
    width = len(sums[0])
    waiting = Signal(width * len(sums), name=f"{name}_sums")
    with m.If(load):
        m.d.sync += waiting.eq(Cat(*sums))
    with m.Else():
        m.d.sync += waiting.eq(waiting >> width)
    total = Signal(Shape(width, signed=True), name=f"{name}_sum")
    m.d.sync += total.eq(waiting[:width])
    return total
