"""The top level: charges and register writes in, link words out."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.chip import LINK_BITS
from models.errors import InputError
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, N_TRIGGER_CELLS
from rtl.design import encoder, formatter
from rtl.design.arithmetic import Target
from rtl.design.block import Block
from rtl.design.encoder import ParallelEncoder
from rtl.design.folded import FoldedEncoder
from rtl.design.formatter import Formatter, n_words
from rtl.design.pipelined import PipelinedEncoder
from rtl.design.registers import ADDRESS_BITS, RegisterFile
from rtl.results import Design

TRACE = ("image_code", "hidden_code", "output_code")
"""Outputs for observation only; `observed` of the encoder says at which clocks they are valid."""


class AutoencoderChip(Block):
    """Normaliser, encoder, mask and formatter with their registers.

    `valid` says that the charges of a bunch crossing are at `calq`, `orbit_start` that it is the first of an orbit. A
    clock with `ready` takes them; without `ready` nothing happens. The words of the frame follow `latency` clocks later
    at `etx`, link 0 first, with `etx_valid`. `ready` returns after `interval` clocks. `write` stores `data` at
    `address` of the chip's register map. `rst` empties the pipeline and leaves the registers alone; `registers_clear`
    sets them to their values after a reset of the chip. `refresh` rewrites every redundant register with the vote of
    its copies.

    Examples:
        >>> from models import EncoderSpec
        >>> from rtl import AutoencoderChip
        >>> chip = AutoencoderChip(EncoderSpec.chip(2), fold=16)
        >>> chip.latency, chip.interval  # in clocks
        (23, 16)
    """

    clocked = True

    def __init__(self, spec: EncoderSpec, target: Target = "asic", redundant: bool = False, fold: int = 1,
                 pipelined: bool = False) -> None:
        """`fold` is 1 for an event every clock, else the number of slices of the folded encoder.

        `pipelined` chooses the folded encoder with more registers. Raises InputError for it without slices.
        """
        if pipelined and fold == 1:
            raise InputError("a pipelined encoder works on slices: choose a fold of at least 2")
        self.spec, self.target, self.redundant, self.fold, self.pipelined = spec, target, redundant, fold, pipelined
        self.register_file = RegisterFile(spec, redundant, pipelined)
        n_bits = len(self.register_file.weights)
        self._encoder: ParallelEncoder | FoldedEncoder | PipelinedEncoder = (
            ParallelEncoder(spec, n_bits, target) if fold == 1
            else (PipelinedEncoder if pipelined else FoldedEncoder)(spec, n_bits, target, fold))
        self.observed = self._encoder.observed
        outputs, width = spec.dense.outputs, spec.dense.output.width
        self._formatter = Formatter(outputs * width, pipelined)
        self.interval, self.latency = self._encoder.interval, self._encoder.latency + self._formatter.latency
        super().__init__("autoencoder_chip", {
            "valid": In(1),
            "orbit_start": In(1),
            "ready": Out(1),
            "calq": In(ArrayLayout(unsigned(CALQ_BITS), N_TRIGGER_CELLS)),
            "write": In(1),
            "address": In(ADDRESS_BITS),
            "data": In(8),
            "registers_clear": In(1),
            "refresh": In(1),
            "etx": Out(ArrayLayout(unsigned(LINK_BITS), n_words(outputs * width))),
            "etx_valid": Out(1),
            "image_code": Out(ArrayLayout(unsigned(spec.input.width), N_TRIGGER_CELLS)),
            "hidden_code": Out(self._encoder.hidden_code.shape()),
            "output_code": Out(ArrayLayout(unsigned(width), outputs)),
        })
        self.uses(self.register_file)
        self.uses(self._encoder)
        self.uses(self._formatter)

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers = self.place(m, "registers", self.register_file, clear=self.registers_clear, refresh=self.refresh,
                               write=self.write, address=self.address, data=self.data)
        accepted = self._accept(m)
        start = {"start": accepted} if self.interval > 1 else {}
        found = self.place(m, "encoder", self._encoder, calq=self.calq, weights=registers["weights"], **start)
        m.d.comb += [getattr(self, stage).eq(found[stage]) for stage in TRACE]
        marks = Cat(accepted, self.orbit_start & accepted)
        for clock in range(self._encoder.latency):
            delayed = Signal.like(marks, name=f"marks_{clock}")
            m.d.sync += delayed.eq(marks)
            marks = delayed
        frame = self.place(m, "formatter", self._formatter, valid=marks[0], orbit_start=marks[1],
                           module_sum=found["module_sum"], payload=found["output_code"],
                           mask=registers["mask"], n_links=registers["n_links"])
        m.d.comb += [self.etx.eq(frame["words"]), self.etx_valid.eq(frame["words_valid"])]
        return m

    @override
    def describe(self) -> Design:
        return Design(digest=self.spec.digest(), architecture="parallel" if self.fold == 1 else "folded",
                      fold=self.fold, interval_clocks=self.interval, latency_clocks=self.latency,
                      redundant=self.redundant, pipelined=self.pipelined)

    def _accept(self, m: Module) -> Value:
        """Whether the charges are taken; `ready` is then low for the rest of the interval."""
        accepted, pause = Signal(), Signal(range(self.interval))
        m.d.comb += [self.ready.eq(pause == 0), accepted.eq(self.valid & self.ready)]
        with m.If(accepted):
            m.d.sync += pause.eq(self.interval - 1)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        return accepted


LATENCY = encoder.LATENCY + formatter.LATENCY
"""Clocks from charges to words with the parallel encoder: four bunch crossings."""
