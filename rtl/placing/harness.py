"""Designs behind few pins: wide words pass through shift registers, so that a package has enough pins."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Signal, Value, unsigned
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.chip import LINK_BITS
from models.trigger_cells import CALQ_BITS, N_TRIGGER_CELLS
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.design.decoder import ReloadableDecoder
from rtl.design.registers import ADDRESS_BITS

CHANNELS_PER_CLOCK = 4
"""An event of 48 charges passes in 12 clocks."""
PORT_BITS = 32
"""Of the words that carry a decoder's input and output."""


def _kept(m: Module, value: Value, name: str) -> Signal:
    kept = Signal(len(value), name=name)
    m.d.sync += kept.eq(value)
    return kept


class ShiftedWord(Block):
    """A word of a shift register: with `shift`, it takes `given` a clock later.

    Each word has a copy of `shift`: one that all words share would be the slowest net.
    """

    clocked = True

    def __init__(self, bits: int) -> None:
        super().__init__(f"shifted_word_{bits}", {"shift": In(1), "given": In(bits), "word": Out(bits)})

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(_kept(m, self.shift, "own_shift")):
            m.d.sync += self.word.eq(self.given)
        return m


class EncoderHarness(Block):
    """The encoder block; every pin comes from or goes to a flip-flop.

    With `shift`, `charges` are the next four of an event, channel 0 first; `valid` comes with the last of them. The
    words of its frame leave one in a clock at `word`, link 0 first, with `word_valid`. Register writes pass unchanged.
    """

    clocked = True

    def __init__(self, chip: AutoencoderChip) -> None:
        super().__init__("placed_encoder", {
            "charges": In(unsigned(CALQ_BITS * CHANNELS_PER_CLOCK)),
            "shift": In(1),
            "valid": In(1),
            "orbit_start": In(1),
            "write": In(1),
            "address": In(ADDRESS_BITS),
            "data": In(8),
            "word": Out(unsigned(LINK_BITS)),
            "word_valid": Out(1),
        })
        self.chip = self.uses(chip)
        self._shifted = self.uses(ShiftedWord(CALQ_BITS * CHANNELS_PER_CLOCK))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins = {name: _kept(m, Value.cast(getattr(self, name)), f"pin_{name}")
                for name, member in self.signature.members.items() if member.flow == In and name != "shift"}
        calq = _shifted_in(self, m, self._shifted, N_TRIGGER_CELLS // CHANNELS_PER_CLOCK, pins["charges"], self.shift)
        inputs = {name: _kept(m, pins[name], f"port_{name}")
                  for name in ("valid", "orbit_start", "write", "address", "data")}
        found = self.place(m, "chip", self.chip, calq=calq, registers_clear=0, refresh=0, **inputs)
        words = found["etx"].as_value()
        left = Signal(range(len(words) // LINK_BITS + 1))
        with m.If(found["etx_valid"]):
            m.d.sync += left.eq(len(words) // LINK_BITS)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += [self.word.eq(_shifted_out(m, words, found["etx_valid"], LINK_BITS)),
                     self.word_valid.eq(left != 0)]
        return m


class ConstantHarness(Block):
    """Layers with constant weights, as da4ml writes them: module `name` with ports `clk`, `model_inp`, `model_out`.

    `shift` moves PORT_BITS of the input in, low ones first; `load` takes the output, which then leaves in the same way.
    """

    clocked = True

    def __init__(self, name: str, input_bits: int, output_bits: int) -> None:
        self._name, self.input_bits, self.output_bits = name, input_bits, output_bits
        super().__init__("placed_layers", {
            "inputs": In(PORT_BITS),
            "shift": In(1),
            "load": In(1),
            "outputs": Out(PORT_BITS),
        })
        self._shifted = self.uses(ShiftedWord(PORT_BITS))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins = {name: _kept(m, getattr(self, name), f"pin_{name}") for name in ("inputs", "load")}
        given = _shifted_in(self, m, self._shifted, -(-self.input_bits // PORT_BITS), pins["inputs"], self.shift)
        found = Signal(self.output_bits)
        m.submodules["chip"] = Instance(self._name, i_clk=ClockSignal(), i_model_inp=given[: self.input_bits],
                                        o_model_out=found)
        m.d.comb += self.outputs.eq(_shifted_out(m, found, pins["load"], PORT_BITS))
        return m


class DecoderHarness(Block):
    """A decoder with weights that can be reloaded; every pin comes from or goes to a flip-flop.

    `shift` moves PORT_BITS of a module's fields in, low ones first; all other ports are those of the decoder.
    """

    clocked = True

    def __init__(self, decoder: ReloadableDecoder) -> None:
        ports = {name: member for name, member in decoder.signature.members.items() if name != "fields"}
        super().__init__("placed_decoder", {**ports, "inputs": In(PORT_BITS), "shift": In(1)})
        self.decoder, self._shifted = self.uses(decoder), self.uses(ShiftedWord(PORT_BITS))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins = {name: _kept(m, getattr(self, name), f"pin_{name}")
                for name, member in self.signature.members.items() if member.flow == In and name != "shift"}
        width = len(self.decoder.fields)
        given = _shifted_in(self, m, self._shifted, -(-width // PORT_BITS), pins.pop("inputs"), self.shift)
        found = self.place(m, "chip", self.decoder, fields=given[:width], **pins)
        m.d.sync += [getattr(self, name).eq(value) for name, value in found.items()]
        return m


def _shifted_in(harness: Block, m: Module, word: ShiftedWord, n: int, value: Value, shift: Value) -> Value:
    """The last `n` words from a pin's flip-flops, the oldest in the low bits; `shift` is the pin itself."""
    words: list[Value] = []
    for k in reversed(range(n)):
        value = harness.place(m, f"shifted_{k}", word, given=value, shift=shift)["word"]
        words.insert(0, value)
    return Cat(words)


def _shifted_out(m: Module, value: Value, load: Value, width: int) -> Value:
    """The low bits of `value`, the next ones in each later clock."""
    waiting = Signal(len(value), name="waiting")
    with m.If(load):
        m.d.sync += waiting.eq(value)
    with m.Else():
        m.d.sync += waiting.eq(waiting >> width)
    return waiting[:width]
