"""The parallel encoder: charges in, outputs of the dense layer two clocks later, a new event every clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, IMAGE_SIZE, N_TRIGGER_CELLS, channel_to_pixel
from rtl.design.arithmetic import Target
from rtl.design.block import Block
from rtl.design.layers import InputCode, Neuron
from rtl.design.normaliser import ChannelShifter, ModuleSum
from rtl.design.registers import weight_counts

LATENCY = 2
"""Clocks from charges to outputs."""


@dataclass(frozen=True)
class WeightBits:
    """The weight codes of an encoder as slices of the register bits."""

    spec: EncoderSpec
    bits: Value

    def _code(self, name: str, index: int) -> Value:
        start = 0
        for array, count in weight_counts(self.spec).items():
            width = self.spec.weight_formats[array].width
            if array == name:
                return self.bits[start + width * index : start + width * (index + 1)]
            start += width * count
        raise KeyError(name)

    def conv(self, cell: int, filter_: int) -> Value:
        """The weight of a kernel cell in a filter."""
        return self._code("conv_kernel", cell * self.spec.conv.filters + filter_)

    def conv_bias(self, filter_: int) -> Value:
        """The bias of a filter."""
        return self._code("conv_bias", filter_)

    def dense(self, k: int, output: int) -> Value:
        """The weight of hidden value `k` in an output."""
        return self._code("dense_kernel", output * self.spec.n_hidden + k)

    def dense_bias(self, output: int) -> Value:
        """The bias of an output."""
        return self._code("dense_bias", output)


def live_cells(spec: EncoderSpec) -> list[list[tuple[int, int]]]:
    """The (kernel cell, channel) pairs that carry a charge, for each output pixel; all other cells are zero."""
    conv = spec.conv
    channel = {int(pixel): k for k, pixel in enumerate(channel_to_pixel())}
    found = []
    for pixel in range(conv.size**2):
        row, column = (conv.stride * i - conv.padding[0] for i in divmod(pixel, conv.size))
        cells = []
        for cell in range(conv.kernel**2):
            r, c = row + cell // conv.kernel, column + cell % conv.kernel
            if 0 <= r < IMAGE_SIZE and 0 <= c < IMAGE_SIZE and r * IMAGE_SIZE + c in channel:
                cells.append((cell, channel[r * IMAGE_SIZE + c]))
        found.append(cells)
    return found


def hidden_codes(spec: EncoderSpec, n_cells: int) -> InputCode:
    """Possible codes of a hidden value with `n_cells` live cells; without any it depends on its bias alone."""
    conv = spec.conv
    if n_cells:
        return InputCode.of(range(conv.output.max_code + 1))
    bias = np.arange(conv.bias.min_code, conv.bias.max_code + 1)
    return InputCode.of(conv.output.requantize(np.maximum(bias, 0), conv.bias.fraction_bits))


def sum_of(values: list[Value]) -> Value:
    """The sum as a balanced tree."""
    while len(values) > 1:
        values = [a + b for a, b in zip(values[0::2], values[1::2], strict=False)] + values[len(values) & ~1 :]
    return values[0] if values else Value.cast(0)


class Normaliser(Block):
    """Module sum, and for each channel the input code and three times that code."""

    def __init__(self, spec: EncoderSpec) -> None:
        width = spec.input.width
        super().__init__("normaliser", {
            "calq": In(ArrayLayout(unsigned(CALQ_BITS), N_TRIGGER_CELLS)),
            "module_sum": Out(unsigned(CALQ_BITS)),
            "code": Out(ArrayLayout(unsigned(width), N_TRIGGER_CELLS)),
            "thrice": Out(ArrayLayout(unsigned(width + 2), N_TRIGGER_CELLS)),
        })
        self._sum = self.uses(ModuleSum())
        self._shifter = self.uses(ChannelShifter(spec.input))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        found = self.place(m, "sum", self._sum, calq=self.calq)
        m.d.comb += self.module_sum.eq(found["module_sum"])
        for k in range(N_TRIGGER_CELLS):
            channel = self.place(m, f"channel_{k}", self._shifter, charge=self.calq[k], shift=found["shift"],
                                 enable=found["nonzero"])
            m.d.comb += [self.code[k].eq(channel["code"]), self.thrice[k].eq(channel["thrice"])]
        return m


class ParallelEncoder(Block):
    """An encoder with gates for every product: initiation interval 1, a register after each layer.

    `observed` gives, for each stage, the clocks after the charges at which its codes are at their port.
    """

    clocked = True

    def __init__(self, spec: EncoderSpec, weight_bits: int, target: Target) -> None:
        self.spec, self.interval, self.latency = spec, 1, LATENCY
        self.observed = {"image_code": range(1), "hidden_code": range(1, 2), "output_code": range(LATENCY, LATENCY + 1)}
        super().__init__("parallel_encoder", {
            "calq": In(ArrayLayout(unsigned(CALQ_BITS), N_TRIGGER_CELLS)),
            "weights": In(unsigned(weight_bits)),
            "image_code": Out(ArrayLayout(unsigned(spec.input.width), N_TRIGGER_CELLS)),
            "hidden_code": Out(ArrayLayout(unsigned(spec.conv.output.width), spec.n_hidden)),
            "output_code": Out(ArrayLayout(unsigned(spec.dense.output.width), spec.dense.outputs)),
            "module_sum": Out(unsigned(CALQ_BITS)),
        })
        self._normaliser = self.uses(Normaliser(spec))
        self._cells = live_cells(spec)
        any_code = InputCode.of(range(spec.input.max_code + 1))
        sizes = sorted({len(cells) for cells in self._cells})
        filters = {n: self.uses(Neuron(spec.conv, spec.input, [any_code] * n, target)) for n in sizes}
        self._pixels = [filters[len(cells)] for cells in self._cells]
        hidden = [hidden_codes(spec, len(cells)) for cells in self._cells for _ in range(spec.conv.filters)]
        self._dense = self.uses(Neuron(spec.dense, spec.conv.output, hidden, target))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, weights = self.spec, WeightBits(self.spec, self.weights)
        normaliser = self.place(m, "normaliser", self._normaliser, calq=self.calq)
        module_sum = Signal(CALQ_BITS, name="first_module_sum")
        m.d.sync += [module_sum.eq(normaliser["module_sum"]), self.module_sum.eq(module_sum)]
        m.d.comb += self.image_code.eq(normaliser["code"])
        for pixel, hidden in enumerate(self._conv_pixels(m, normaliser, weights)):
            m.d.sync += self.hidden_code[pixel].eq(hidden)
        thrice = Signal(ArrayLayout(unsigned(spec.conv.output.width + 2), spec.n_hidden))
        m.d.comb += [thrice[k].eq((self.hidden_code[k] << 1) + self.hidden_code[k]) for k in range(spec.n_hidden)]
        excess = Signal.like(self._dense.excess)
        m.d.comb += excess.eq(self._dense.sums.excess_of(sum_of([self.hidden_code[k] for k in range(spec.n_hidden)])))
        for j in range(spec.dense.outputs):
            output = self.place(m, f"dense_{j}", self._dense, code=self.hidden_code, thrice=thrice, excess=excess,
                                weight=Cat(weights.dense(k, j) for k in range(spec.n_hidden)),
                                bias=weights.dense_bias(j))["result"]
            m.d.sync += self.output_code[j].eq(output)
        return m

    def _conv_pixels(self, m: Module, inputs: Mapping[str, Any], weights: WeightBits) -> Iterator[Value]:
        """Outputs of the convolution in the order (pixel, filter); pixels without a live cell share theirs."""
        conv = self.spec.conv
        blind: list[Value] = []
        for pixel, (cells, neuron) in enumerate(zip(self._cells, self._pixels, strict=True)):
            if not cells and blind:
                yield from blind
                continue
            excess = Signal.like(neuron.excess, name=f"excess_{pixel}")
            m.d.comb += excess.eq(neuron.sums.excess_of(sum_of([inputs["code"][k] for _, k in cells])))
            for f in range(conv.filters):
                connections = {"excess": excess, "bias": weights.conv_bias(f)}
                if cells:
                    connections |= {
                        "code": Cat(inputs["code"][k] for _, k in cells),
                        "thrice": Cat(inputs["thrice"][k] for _, k in cells),
                        "weight": Cat(weights.conv(cell, f) for cell, _ in cells),
                    }
                output = self.place(m, f"conv_{pixel}_{f}", neuron, **connections)["result"]
                if not cells:
                    blind.append(output)
                yield output
