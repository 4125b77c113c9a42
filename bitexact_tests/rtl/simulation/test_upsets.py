"""Which registers of the Verilog can be flipped: all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from bitexact_tests.samples.flips import N_WEIGHT_BITS
from models.spec import EncoderSpec
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.mapping.yosys import YosysError, write_verilog
from rtl.simulation.upsets import registers


@pytest.mark.parametrize("redundant", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_no_register_of_the_verilog_is_forgotten(redundant: bool, tmp_path: Path) -> None:
    top = AutoencoderChip(EncoderSpec.chip(5), redundant=redundant)
    found = registers(top)
    assert len({one.path for one in found}) == len(found)
    copies = 3 if redundant else 1
    assert sum(one.width for one in found if ".registers." in one.path) == copies * (N_WEIGHT_BITS + 144 + 8)
    write_verilog(top, tmp_path / "top.v")
    text = (tmp_path / "top.v").read_text()
    assert text.count("posedge") == len({(one.block, one.name) for one in found})


class Odd(Block):
    """A memory, or two registers of one name."""

    clocked = True

    def __init__(self, with_memory: bool) -> None:
        super().__init__("odd", {"out": Out(8)})
        self._with_memory = with_memory

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._with_memory:
            m.submodules.memory = memory = Memory(shape=8, depth=4, init=[1, 2, 3, 4])
            m.d.comb += self.out.eq(memory.read_port().data)
        else:
            first, second = Signal(8, name="counter"), Signal(8, name="counter")
            m.d.sync += [first.eq(first + 1), second.eq(second + first)]
            m.d.comb += self.out.eq(first ^ second)
        return m


@pytest.mark.parametrize(("with_memory", "message"), [(True, "expected every register"), (False, "no plain name")])
def test_state_that_cannot_be_flipped_is_an_error(with_memory: bool, message: str) -> None:
    with pytest.raises(YosysError, match=message):
        registers(Odd(with_memory))
