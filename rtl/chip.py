"""The top level: charges and register writes in, words on the links out."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from models.spec import EncoderSpec
from models.trigger_cells import N_TRIGGER_CELLS
from rtl import encoder, formatter
from rtl.arithmetic import Target
from rtl.block import Block
from rtl.encoder import ParallelEncoder
from rtl.formatter import LINK_BITS, Formatter, n_words
from rtl.normaliser import CHARGE_BITS
from rtl.registers import ADDRESS_BITS, RegisterFile

TRACE = ("image_code", "hidden_code", "output_code")
"""Outputs that only observe: the input codes in the clock of the charges, hidden codes one and outputs two later."""


class AutoencoderChip(Block):
    """Normaliser, encoder, mask and formatter with their registers.

    valid: the charges of a bunch crossing are at `calq`; orbit_start: it is number 0 of an orbit. The words of its
    frame are at `etx`, link 0 first, LATENCY clocks later, with `etx_valid`. A write stores `data` at `address` of the
    chip's register map. `rst` empties the pipeline and leaves the registers alone; `registers_clear` gives them the
    values of a chip after reset. `refresh` rewrites every register with the vote of its copies (redundant ones only).
    """

    clocked = True

    def __init__(self, spec: EncoderSpec, target: Target = "asic", redundant: bool = False) -> None:
        self.spec = spec
        outputs, width = spec.dense.outputs, spec.dense.output.width
        super().__init__("autoencoder_chip", {
            "valid": In(1),
            "orbit_start": In(1),
            "calq": In(ArrayLayout(unsigned(CHARGE_BITS), N_TRIGGER_CELLS)),
            "write": In(1),
            "address": In(ADDRESS_BITS),
            "data": In(8),
            "registers_clear": In(1),
            "refresh": In(1),
            "etx": Out(ArrayLayout(unsigned(LINK_BITS), n_words(outputs * width))),
            "etx_valid": Out(1),
            "image_code": Out(ArrayLayout(unsigned(spec.input.width), N_TRIGGER_CELLS)),
            "hidden_code": Out(ArrayLayout(unsigned(spec.conv.output.width), spec.n_hidden)),
            "output_code": Out(ArrayLayout(unsigned(width), outputs)),
        })
        self.register_file = self.uses(RegisterFile(spec, redundant))
        self._encoder = self.uses(ParallelEncoder(spec, len(self.register_file.weights), target))
        self._formatter = self.uses(Formatter(outputs * width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers = self.place(m, "registers", self.register_file, clear=self.registers_clear, refresh=self.refresh,
                               write=self.write, address=self.address, data=self.data)
        found = self.place(m, "encoder", self._encoder, calq=self.calq, weights=registers["weights"])
        m.d.comb += [getattr(self, stage).eq(found[stage]) for stage in TRACE]
        marks = Cat(self.valid, self.orbit_start & self.valid)
        for clock in range(encoder.LATENCY):
            delayed = Signal.like(marks, name=f"marks_{clock}")
            m.d.sync += delayed.eq(marks)
            marks = delayed
        frame = self.place(m, "formatter", self._formatter, valid=marks[0], orbit_start=marks[1],
                           module_sum=found["module_sum"], payload=found["output_code"],
                           mask=registers["mask"], n_links=registers["n_links"])
        m.d.comb += [self.etx.eq(frame["words"]), self.etx_valid.eq(frame["words_valid"])]
        return m


LATENCY = encoder.LATENCY + formatter.LATENCY
