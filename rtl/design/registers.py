"""Registers behind a byte-wide bus at the chip's addresses; optionally in triplicate, with vote and scrubbing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.register_map import register_map
from models.spec import EncoderSpec
from rtl.design.block import Block
from rtl.design.voter import Voter

ADDRESS_BITS = 16


@dataclass(frozen=True)
class Span:
    """Consecutive bytes of the register memory and their values after a reset."""

    name: str
    address: int
    reset: bytes

    @classmethod
    def of(cls, *names: str) -> Span:
        """The chip's registers with the given dotted names, which must be contiguous."""
        slots = [slot for name in names for slot in register_map().slots[name]]
        memory = register_map().reset_memory()
        first, last = slots[0], slots[-1]
        return cls(names[0].split(".")[-1], first.address, bytes(memory[first.address : last.address + last.n_bytes]))


def weight_spans(spec: EncoderSpec) -> list[Span]:
    """The register blocks that hold the weights of `spec`, bits in register order.

    An encoder of the chip's size fills the chip's 12 blocks; a larger one continues in further blocks after them.
    """
    first, second = (register_map().slots[f"AUTOENCODER_{n}INPUT.weights_byte0"][0].address for n in (0, 1))
    last = register_map().slots["AUTOENCODER_0INPUT.weights_byte128"][0]
    block_bytes = last.address + last.n_bytes - first
    n_bits = sum(len_ * spec.weight_formats[name].width for name, len_ in weight_counts(spec).items())
    n_blocks = -(-n_bits // (8 * block_bytes))
    return [Span(f"weights_{n}", first + n * (second - first), bytes(block_bytes)) for n in range(n_blocks)]


def weight_counts(spec: EncoderSpec) -> dict[str, int]:
    """Number of codes in each array of weights, in register order."""
    counts = {}
    for name, shape in spec.weight_shapes.items():
        counts[name] = 1
        for size in shape:
            counts[name] *= size
    return counts


MASK = ("FMTBUF_ALL.mask_ae", "FMTBUF_ALL.mask_ae2")
LINKS = "FMTBUF_ALL.config"


class RegisterBank(Block):
    """The bytes of a span: `write` stores `data` in byte `index`, `clear` restores the values after a reset.

    With `scrubbed`, `refresh` stores `voted` in all bytes that are not being written.
    """

    clocked = True

    def __init__(self, reset: bytes, scrubbed: bool = False) -> None:
        self.reset, self.scrubbed = reset, scrubbed
        digest = hashlib.sha256(reset).hexdigest()[:6]
        bits = unsigned(8 * len(reset))
        self.ports = {
            "clear": In(1),
            "write": In(1),
            "index": In(unsigned(max((len(reset) - 1).bit_length(), 1))),
            "data": In(8),
        }
        scrubbing = {"refresh": In(1), "voted": In(bits)} if scrubbed else {}
        super().__init__(f"register_bank{'_scrubbed' * scrubbed}_{len(reset)}_{digest}",
                         {**self.ports, **scrubbing, "value": Out(bits)})

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        for k, reset in enumerate(self.reset):
            byte = Signal(8, name=f"byte_{k}", init=reset, reset_less=True)
            m.d.comb += self.value[8 * k : 8 * (k + 1)].eq(byte)
            if self.scrubbed:
                with m.If(self.refresh):
                    m.d.sync += byte.eq(self.voted[8 * k : 8 * (k + 1)])
            with m.If(self.write & (self.index == k)):
                m.d.sync += byte.eq(self.data)
            with m.If(self.clear):
                m.d.sync += byte.eq(reset)
        return m


class TripleBank(Block):
    """A bank in three copies: its value is their vote, and `refresh` sets all copies to it."""

    clocked = True

    def __init__(self, reset: bytes) -> None:
        copy = RegisterBank(reset, scrubbed=True)
        digest = hashlib.sha256(reset).hexdigest()[:6]
        super().__init__(f"triple_bank_{len(reset)}_{digest}",
                         {**copy.ports, "refresh": In(1), "value": Out(unsigned(8 * len(reset)))})
        self._copy = self.uses(copy)
        self._voter = self.uses(Voter(8 * len(reset)))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs = {name: getattr(self, name) for name in (*self._copy.ports, "refresh")}
        copies = {name: self.place(m, f"copy_{name}", self._copy, voted=self.value, **inputs)["value"]
                  for name in "abc"}
        m.d.comb += self.value.eq(self.place(m, "voter", self._voter, **copies)["voted"])
        return m


class BankBus(Block):
    """The bus of one bank, a clock later: one register would drive all banks at once."""

    clocked = True

    def __init__(self, index_bits: int) -> None:
        self._widths = {"clear": 1, "refresh": 1, "write": 1, "index": index_bits, "data": 8}
        super().__init__(f"bank_bus_{index_bits}", {
            **{name: In(unsigned(width)) for name, width in self._widths.items()},
            **{f"{name}_later": Out(unsigned(width)) for name, width in self._widths.items()},
        })

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += [getattr(self, f"{name}_later").eq(getattr(self, name)) for name in self._widths]
        return m


class RegisterFile(Block):
    """All registers of the encoder: weights in register order, output mask, number of links.

    `pipelined` puts a register before each bank: writes arrive a clock later.
    """

    clocked = True
    static = True

    def __init__(self, spec: EncoderSpec, redundant: bool, pipelined: bool = False) -> None:
        self.redundant, self.pipelined = redundant, pipelined
        self.weight_spans = weight_spans(spec)
        self.mask_span, self.links_span = Span.of(*MASK), Span.of(LINKS)
        self.mask_bits = spec.dense.outputs * spec.dense.output.width
        super().__init__(f"register_file{'_tmr' * redundant}{'_pipelined' * pipelined}", {
            "clear": In(1),
            "refresh": In(1),
            "write": In(1),
            "address": In(ADDRESS_BITS),
            "data": In(8),
            "weights": Out(unsigned(8 * sum(len(span.reset) for span in self.weight_spans))),
            "mask": Out(unsigned(self.mask_bits)),
            "n_links": Out(4),
        })
        self._banks = {
            span.name: self.uses(TripleBank(span.reset) if redundant else RegisterBank(span.reset))
            for span in (*self.weight_spans, self.mask_span, self.links_span)
        }
        self._buses = {name: self.uses(BankBus(len(bank.index))) for name, bank in self._banks.items() if pipelined}

    @property
    def n_bits(self) -> int:
        """Number of flip-flops in all banks, including copies."""
        spans = (*self.weight_spans, self.mask_span, self.links_span)
        return (3 if self.redundant else 1) * 8 * sum(len(span.reset) for span in spans)

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        weights = Cat(self._bank(m, span) for span in self.weight_spans)
        links = register_map().slots[f"{LINKS}.eporttx_numen"][0]
        mask = self._bank(m, self.mask_span)
        m.d.comb += [
            self.weights.eq(weights),
            # An encoder with fewer output bits uses the low end of the mask; bits beyond the mask are always sent.
            self.mask.eq(Cat(mask, [1] * (self.mask_bits - len(mask)))[: self.mask_bits]),
            self.n_links.eq(self._bank(m, self.links_span)[links.shift : links.shift + links.bits]),
        ]
        return m

    def _bank(self, m: Module, span: Span) -> Value:
        bank = self._banks[span.name]
        index = self.address - span.address
        selected = (self.address >= span.address) & (self.address < span.address + len(span.reset))
        inputs = {"clear": self.clear, "refresh": self.refresh, "write": self.write & selected,
                  "index": index[: len(bank.index)], "data": self.data}
        if self.pipelined:
            later = self.place(m, f"bus_{span.name}", self._buses[span.name], **inputs)
            inputs = {name: later[f"{name}_later"] for name in inputs}
        if not self.redundant:
            del inputs["refresh"]
        value: Value = self.place(m, span.name, bank, **inputs)["value"]
        return value
