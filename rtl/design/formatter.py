"""Mask and formatter of the autoencoder: from encoder outputs to link words in two clocks."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.chip import COUNTER_BITS, LINK_BITS, MAX_ELINKS, ORBIT
from models.trigger_cells import CALQ_BITS
from rtl.design.block import Block, wire
from rtl.design.normaliser import FloatEncoder

SUM_EXPONENT_BITS, SUM_MANTISSA_BITS = 5, 4
HEADER_BITS = COUNTER_BITS + SUM_EXPONENT_BITS + SUM_MANTISSA_BITS
ELINK_BITS = MAX_ELINKS.bit_length()

LATENCY = 2
"""Clocks from encoder outputs to link words; one more with more registers."""


def n_words(payload_bits: int) -> int:
    """Number of links that the longest frame fills."""
    return -(-(HEADER_BITS + payload_bits) // LINK_BITS)


class MaskSteps(Block):
    """The bits that move in each step of `MaskPacker`: a function of the mask alone, stable once registers are written.

    A kept bit moves down by the number of 0s below it in the mask, in steps of 1, 2, 4, ... The parity of that number
    decides the first step, the parity of every second 0 the next, and so on. Small steps come first, so that no two
    bits collide. `registered` puts a register after each step: the bits then settle in as many clocks.
    """

    def __init__(self, width: int, registered: bool = False) -> None:
        self.n_steps = (width - 1).bit_length()
        self.clocked = self.static = registered
        super().__init__(f"mask_steps_{width}{'_registered' * registered}", {
            "mask": In(unsigned(width)),
            "moves": Out(ArrayLayout(unsigned(width), self.n_steps)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(self.mask)
        mask: Value = self.mask
        counted = wire(m, (~self.mask << 1)[:width], "counted")
        for step in range(self.n_steps):
            odd = wire(m, _prefix_parity(m, counted), f"odd_{step}")
            moves = Signal(width, name=f"moves_{step}") if self.clocked else self.moves[step]
            m.d.comb += moves.eq(odd & mask)
            mask = self._kept(m, (mask ^ moves) | (moves >> (1 << step)), f"mask_{step}")
            counted = self._kept(m, counted & ~odd, f"counted_{step}")
            if self.clocked:
                m.d.sync += self.moves[step].eq(moves)
        return m

    def _kept(self, m: Module, value: Value, name: str) -> Value:
        """The value, in a register if there are any: a reset, which leaves the mask alone, leaves it alone too."""
        if not self.clocked:
            return wire(m, value, name)
        kept = Signal(len(value), name=name, reset_less=True)
        m.d.sync += kept.eq(value)
        return kept


def _prefix_parity(m: Module, bits: Value) -> Value:
    """Bit k is the parity of bits 0..k; about two gates per bit."""
    if len(bits) == 1:
        return bits
    pairs = wire(m, Cat(bits[k] ^ bits[k + 1] for k in range(0, len(bits) - 1, 2)), "pairs")
    odd = wire(m, _prefix_parity(m, pairs), "odd_places")
    even = [bits[0]] + [odd[k // 2 - 1] ^ bits[k] for k in range(2, len(bits), 2)]
    return Cat(even[k // 2] if k % 2 == 0 else odd[k // 2] for k in range(len(bits)))


class MaskPacker(Block):
    """Keeps the bits whose mask bit is 1 and packs them toward the low end; zeros follow at the high end.

    `registered` puts a register in the middle: it then takes two clocks to a register after it.
    """

    def __init__(self, steps: MaskSteps, registered: bool = False) -> None:
        width = len(steps.mask)
        self.clocked = registered
        super().__init__(f"mask_packer_{width}{'_registered' * registered}", {
            "payload": In(unsigned(width)),
            "mask": In(unsigned(width)),
            "moves": In(ArrayLayout(unsigned(width), steps.n_steps)),
            "packed": Out(unsigned(width)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept: Value = self.payload & self.mask
        for step in range(self.moves.shape().length):
            moved = wire(m, kept & self.moves[step], f"moved_{step}")
            kept = wire(m, (kept ^ moved) | (moved >> (1 << step)), f"kept_{step}")
            if self.clocked and step == self.moves.shape().length // 2 - 1:
                middle = Signal(len(kept))
                m.d.sync += middle.eq(kept)
                kept = middle
        m.d.comb += self.packed.eq(kept)
        return m


class FrameWords(Block):
    """The frame on `n_links` links: header, then the lowest bits of the payload that fit, aligned to the end."""

    def __init__(self, payload_bits: int) -> None:
        self.n_words = n_words(payload_bits)
        super().__init__(f"frame_words_{payload_bits}", {
            "counter": In(unsigned(COUNTER_BITS)),
            "sum_code": In(unsigned(SUM_EXPONENT_BITS + SUM_MANTISSA_BITS)),
            "payload": In(unsigned(payload_bits)),
            "n_links": In(unsigned(ELINK_BITS)),
            "words": Out(ArrayLayout(unsigned(LINK_BITS), self.n_words)),
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        chunks = [self.payload[LINK_BITS * i : LINK_BITS * (i + 1)] for i in range(self.n_words)]
        room = LINK_BITS - HEADER_BITS
        header = Cat(self.sum_code, self.counter)
        with m.Switch(self.n_links):
            with m.Case(0):
                pass  # not a legal setting: without links there are no words
            for n in range(1, 1 << ELINK_BITS):
                used = min(n, self.n_words)
                with m.Case(n) if n < self.n_words else m.Default():
                    first = Cat(chunks[used - 1][:room], *[0] * (room - len(chunks[used - 1][:room])), header)
                    m.d.comb += self.words[0].eq(first)
                    m.d.comb += [self.words[i].eq(chunks[used - 1 - i]) for i in range(1, used)]
                if n >= self.n_words:
                    break
        return m


class Formatter(Block):
    """BX counter, sum code, mask and frame; `valid` and `orbit_start` arrive with the data, `latency` clocks early."""

    clocked = True

    def __init__(self, payload_bits: int, pipelined: bool = False) -> None:
        self.latency = LATENCY + pipelined
        super().__init__(f"formatter_{payload_bits}{'_pipelined' * pipelined}", {
            "valid": In(1),
            "orbit_start": In(1),
            "module_sum": In(unsigned(CALQ_BITS)),
            "payload": In(unsigned(payload_bits)),
            "mask": In(unsigned(payload_bits)),
            "n_links": In(unsigned(ELINK_BITS)),
            "words": Out(ArrayLayout(unsigned(LINK_BITS), n_words(payload_bits))),
            "words_valid": Out(1),
        })
        self._sum_encoder = self.uses(FloatEncoder(CALQ_BITS, SUM_EXPONENT_BITS, SUM_MANTISSA_BITS))
        self._steps = self.uses(MaskSteps(payload_bits, pipelined))
        self._packer = self.uses(MaskPacker(self._steps, pipelined))
        self._frame = self.uses(FrameWords(payload_bits))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        next_bx = Signal(range(ORBIT))
        bx = Signal(range(ORBIT))
        m.d.comb += bx.eq(Mux(self.orbit_start, 0, next_bx))
        with m.If(self.valid):
            m.d.sync += next_bx.eq(Mux(bx == ORBIT - 1, 0, bx + 1))
        sum_code = self.place(m, "sum_encoder", self._sum_encoder, value=self.module_sum)["code"]
        moves = self.place(m, "mask_steps", self._steps, mask=self.mask)["moves"]
        packed = self.place(m, "mask_packer", self._packer, payload=self.payload, mask=self.mask, moves=moves)["packed"]
        counted, valid = Mux(bx == 0, 31, bx[:4]), self.valid
        if self.latency > LATENCY:  # with the payload, which is in a register of the packer
            first = {name: Signal(len(value), name=f"first_{name}")
                     for name, value in (("sum_code", sum_code), ("counter", counted), ("valid", valid))}
            m.d.sync += [first["sum_code"].eq(sum_code), first["counter"].eq(counted), first["valid"].eq(valid)]
            sum_code, counted, valid = first.values()
        found = {"sum_code": sum_code, "payload": packed}
        kept = {name: Signal.like(value, name=f"kept_{name}") for name, value in found.items()}
        counter = Signal(COUNTER_BITS, name="kept_counter")
        kept_valid = Signal()
        m.d.sync += [
            *(kept[name].eq(value) for name, value in found.items()),
            counter.eq(counted),
            kept_valid.eq(valid),
            self.words_valid.eq(kept_valid),
        ]
        words = self.place(m, "frame", self._frame, counter=counter, n_links=self.n_links, **kept)["words"]
        m.d.sync += self.words.eq(Mux(kept_valid, words.as_value(), 0))
        return m
