"""Gates and look-up tables of blocks that take seconds."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from models.errors import ToolMissing
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.design.normaliser import ChannelShifter
from rtl.design.registers import RegisterBank, TripleBank
from rtl.mapping import synthesis, yosys
from rtl.mapping.synthesis import instance_counts, synthesise
from rtl.results import Synthesis

pytestmark = pytest.mark.usefixtures("_yosys")


def test_registers_in_three_copies_take_three_times_the_flip_flops() -> None:
    reset = bytes(range(4))
    single, triple = (synthesise(bank(reset), "gates") for bank in (RegisterBank, TripleBank))
    assert single.total.ff == 32 and triple.total.ff == 96
    assert {row.block.split("_")[0]: row.instances for row in triple.blocks} == {"register": 3, "voter": 1, "triple": 1}


def test_look_up_tables_of_small_blocks(tmp_path: Path) -> None:
    """A shift of 22 positions by five steps of 2:1 takes no more than one table per bit and step."""
    told: list[str] = []
    result = synthesise(ChannelShifter(FixedPoint.parse("U1.7")), "xc7",
                        steps=lambda blocks: (told.append(one.module_name) or one for one in blocks))
    assert told == [row.block for row in result.blocks] == ["channel_shifter"]
    assert result.total.lut is not None and 0 < result.total.lut < 5 * 29
    assert (result.total.ff, result.total.nand2) == (0, None) and result.blocks[0].levels > 1
    result.save(tmp_path / "rtl_xc7.json")
    assert Synthesis.load(tmp_path / "rtl_xc7.json") == result and result.tool.startswith("Yosys")


class Chain(Block):
    """Channels one after the other, with a register in the middle of them."""

    clocked = True

    def __init__(self) -> None:
        super().__init__("chain", {"charge": In(22), "shift": In(5), "code": Out(8)})
        self.channel = self.uses(ChannelShifter(FixedPoint.parse("U1.7")))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        charge: Value = self.charge
        for k, registered in enumerate([False, True, False, False]):
            found = self.place(m, f"channel_{k}", self.channel, charge=charge, shift=self.shift, enable=charge.any())
            charge = found["code"]
            if registered:
                charge = Signal(8, name="between")
                m.d.sync += charge.eq(found["code"])
        m.d.sync += self.code.eq(charge)
        return m


@pytest.mark.parametrize(("technology", "library", "flip_flop"), [
    ("gates", [], "nothing"),
    ("ecp5", ["read_verilog -lib +/ecp5/cells_sim.v"], "TRELLIS_FF"),
    ("xc7", ["read_verilog -lib +/xilinx/cells_sim.v"], "FD?E"),
])
def test_longest_path_over_blocks_is_that_of_the_flat_netlist(
    tmp_path: Path, technology: str, library: list[str], flip_flop: str
) -> None:
    top = Chain()
    result = synthesise(top, technology, keep=tmp_path)
    files = [tmp_path / f"{block.module_name}.netlist" for block in top.definitions()]
    log = yosys.run([*library, *(f"read_json {path}" for path in files), "hierarchy -top chain", "flatten", "opt_clean",
                     "select chain/*", f"select -del chain/t:{flip_flop}", "ltp -noff"])
    found = re.search(r"Longest topological path in chain \(length=(\d+)\)", log)
    assert found is not None and result.levels == int(found[1]) > max(row.levels for row in result.blocks)
    assert result.memory_bits == 0 and result.register_bits == 0


def test_standard_cells_have_an_area_where_their_library_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if synthesis.OSU018.exists():
        result = synthesise(RegisterBank(bytes(4)), "osu018")
        assert result.total.ff == 32 and result.total.area_um2 is not None and result.total.area_um2 > 32 * 50
    monkeypatch.setattr(synthesis, "OSU018", tmp_path / "none.lib")
    with pytest.raises(ToolMissing, match=r"none\.lib not found; install the Debian package qflow-tech-osu018"):
        synthesise(RegisterBank(bytes(4)), "osu018")


def test_every_instance_is_counted() -> None:
    placed = {"top": Counter(pair=2, leaf=1), "pair": Counter(leaf=3), "leaf": Counter()}
    assert instance_counts("top", placed) == {"top": 1, "pair": 2, "leaf": 7}
    blocks = [block.module_name for block in AutoencoderChip(EncoderSpec.chip(5)).definitions()]
    assert len(blocks) == len(set(blocks)) and sum(name.startswith("neuron_128_") for name in blocks) == 1
