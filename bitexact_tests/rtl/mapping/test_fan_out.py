"""Buffers behind nets that drive many pins: few pins for each, and the same function."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from models.fixed_point import FixedPoint
from rtl.design.block import Block
from rtl.design.normaliser import ChannelShifter
from rtl.mapping import yosys
from rtl.mapping.fan_out import PinLoads, buffered
from rtl.mapping.synthesis import synthesise

pytestmark = pytest.mark.usefixtures("_yosys")
LIMIT = 4


class Channels(Block):
    """Twelve channels that share their shift."""

    def __init__(self) -> None:
        super().__init__("channels", {"charge": In(12 * 22), "shift": In(5), "code": Out(12 * 8)})
        self.channel = self.uses(ChannelShifter(FixedPoint.parse("U1.7")))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for k in range(12):
            found = self.place(m, f"channel_{k}", self.channel, charge=self.charge[22 * k : 22 * (k + 1)],
                               shift=self.shift, enable=1)
            m.d.comb += self.code[8 * k : 8 * (k + 1)].eq(found["code"])
        return m


def pins(module: dict[str, dict[str, dict[str, dict[str, list[int]]]]], loads: dict[str, PinLoads]) -> Counter[int]:
    """Pins that each net drives, in the blocks placed too."""
    found: Counter[int] = Counter()
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for k, bit in enumerate(bits):
                    found[bit] += loads.get(str(cell["type"]), {}).get((port, k), 1)
    return found


def test_no_net_drives_more_than_a_few_pins_and_the_function_stays(tmp_path: Path) -> None:
    top = Channels()
    synthesise(top, "gates", keep=tmp_path / "before")
    loads: dict[str, PinLoads] = {}
    after = tmp_path / "after"
    after.mkdir()
    for block in top.definitions():
        name = block.module_name
        source, target = tmp_path / "before" / f"{name}.netlist", after / f"{name}.netlist"
        before = json.loads(source.read_text())["modules"][name]
        assert max(n for bit, n in pins(before, loads).items() if isinstance(bit, int)) > LIMIT
        loads[name], n_buffers = buffered(source, target, loads, LIMIT, "$_BUF_", frozenset())
        module = json.loads(target.read_text())["modules"][name]
        driven = {bit: n for bit, n in pins(module, loads).items() if isinstance(bit, int)}
        assert max(driven.values()) <= LIMIT and max(loads[name].values()) <= LIMIT
        assert n_buffers == len(module["cells"]) - len(before["cells"]) > 0
    log = yosys.run([
        *(command for side in ("before", "after") for command in (
            *(f"read_json {tmp_path / side / block.module_name}.netlist" for block in top.definitions()),
            "hierarchy -top channels", "flatten", f"rename channels {side}", f"design -stash {side}")),
        "design -copy-from before before", "design -copy-from after after",
        "miter -equiv -flatten before after miter", "sat -verify -prove trigger 0 miter"])
    assert "SAT proof finished - no model found: SUCCESS!" in log


def test_nets_of_ideal_ports_stay(tmp_path: Path) -> None:
    synthesise(ChannelShifter(FixedPoint.parse("U1.7")), "gates", keep=tmp_path / "before")
    source = tmp_path / "before" / "channel_shifter.netlist"
    ideal = frozenset({"shift"})
    loads, n_buffers = buffered(source, tmp_path / "after.netlist", {}, LIMIT, "$_BUF_", ideal)
    _, n_all = buffered(source, tmp_path / "all.netlist", {}, LIMIT, "$_BUF_", frozenset())
    assert n_buffers < n_all and max(n for (port, _), n in loads.items() if port == "shift") == 1
