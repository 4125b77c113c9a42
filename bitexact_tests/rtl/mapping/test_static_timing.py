"""Slack by OpenSTA, of designs small enough to know what to expect."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from bitexact_tests.conftest import missing
from models.errors import InputError, ToolMissing
from rtl.design.block import Block
from rtl.design.registers import RegisterBank
from rtl.mapping import static_timing as module
from rtl.mapping.static_timing import static_timing
from rtl.mapping.synthesis import OSU018, synthesise

pytestmark = pytest.mark.usefixtures("_yosys")


@pytest.fixture
def _library() -> None:
    """Skip the test without OpenSTA or the cells."""
    if shutil.which("sta") is None or not OSU018.exists():
        missing("no OpenSTA or no standard cells: install the Debian packages opensta and qflow-tech-osu018")


class Settings(Block):
    """A byte that is set long before an event."""

    clocked = static = True

    def __init__(self) -> None:
        super().__init__("settings", {"data": In(8), "setting": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.setting.eq(self.data)
        return m


class Stages(Block):
    """Three registers: a product of 8 bits, a sum of 8 bits after it, and what depends on a setting alone."""

    clocked = True

    def __init__(self) -> None:
        super().__init__("stages", {"a": In(8), "b": In(8), "data": In(8), "total": Out(17), "settled": Out(9)})
        self.settings = self.uses(Settings())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product = Signal(16)
        setting = self.place(m, "settings", self.settings, data=self.data)["setting"]
        m.d.sync += [product.eq(self.a * self.b), self.total.eq(product + setting), self.settled.eq(setting + 1)]
        return m


@pytest.mark.usefixtures("_library")
def test_slack_of_every_register_that_an_event_reaches(tmp_path: Path) -> None:
    top = Stages()
    levels = synthesise(top, "osu018", keep=tmp_path / "netlists").levels
    found = static_timing(top, tmp_path / "netlists")
    assert re.fullmatch(r"OpenSTA \d+\.\d+\.\d+", found.tool) and found.library == "osu018_stdcells"
    product, total = (next(stage for stage in found.stages if stage.register_name == name)
                      for name in ("product", "total"))
    assert {stage.register_name for stage in found.stages} == {"product", "total"}
    assert (product.bits, total.bits) == (16, 17)
    assert found.shortest_clock_ns == pytest.approx(25 - product.slack_ns)
    for stage in (product, total):
        assert stage.cells - stage.buffers <= levels + 1, "a register's own delay, and gates"
        setup = 25 - stage.slack_ns - sum(part.cells_ns for part in stage.path)
        assert 0 < setup < 1, "cells and setup take the whole of the clock that is not slack"
    assert 25 > total.slack_ns > product.slack_ns > 15


@pytest.mark.usefixtures("_library")
def test_netlists_of_gates_are_refused(tmp_path: Path) -> None:
    bank = RegisterBank(bytes(1))
    synthesise(bank, "gates", keep=tmp_path / "netlists")
    with pytest.raises(InputError, match=r"design\.json: technology gates, expected osu018"):
        static_timing(bank, tmp_path / "netlists")


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolMissing, match="install the Debian package opensta"):
        static_timing(RegisterBank(bytes(1)), tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/true")
    monkeypatch.setattr(module, "OSU018", tmp_path / "none.lib")
    with pytest.raises(ToolMissing, match=r"none\.lib not found; install the Debian package qflow-tech-osu018"):
        static_timing(RegisterBank(bytes(1)), tmp_path)
