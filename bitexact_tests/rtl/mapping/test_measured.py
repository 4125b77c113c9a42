"""Counts that come with the project: of the RTL as it is now, and what Yosys counts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from rtl.design.normaliser import ChannelShifter
from rtl.mapping import synthesis
from rtl.mapping.measured import measured, shipped
from rtl.mapping.synthesis import synthesise
from training.report.hardware import ASKED_FOR

pytestmark = pytest.mark.usefixtures("_yosys")
FIRST = [pytest.param("gates"), pytest.param("xc7", marks=pytest.mark.slow)]


@pytest.mark.parametrize("technology", FIRST)
def test_count_is_of_the_rtl_as_it_is_now(technology: str) -> None:
    """For any number of links: if this fails, RTL or passes changed, and `econ-t rtl synth` has to count them again."""
    spec, kept = EncoderSpec.chip(3), shipped(technology)
    found = measured(spec, technology)
    assert found is not None and kept is not None
    assert (found.total, found.digest, found.latency_clocks) == (kept.total, spec.digest(), 4)


def test_a_digest_does_not_tell_where_the_project_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    block, target = ChannelShifter(FixedPoint.parse("U1.7")), synthesis.TECHNOLOGIES["xc7"]
    here, copy = synthesis.design_digest(block, "xc7"), tmp_path / "map.v"
    copy.write_text(synthesis.ALU_MAP.read_text())
    passes = tuple(command.replace(str(synthesis.ALU_MAP), str(copy)) for command in target.passes)
    monkeypatch.setattr(synthesis, "ALU_MAP", copy)
    monkeypatch.setitem(synthesis.TECHNOLOGIES, "xc7", replace(target, passes=passes))
    assert passes != target.passes and synthesis.design_digest(block, "xc7") == here
    copy.write_text("another map")
    assert synthesis.design_digest(block, "xc7") != here


@pytest.mark.parametrize("technology", ["gates", "xc7"])
def test_a_block_of_the_count_is_what_yosys_finds(technology: str) -> None:
    kept = shipped(technology)
    assert kept is not None
    block, = synthesise(ChannelShifter(FixedPoint.parse("U1.7")), technology).blocks
    there = next(one for one in kept.blocks if one.block == block.block)
    assert (there.resources, there.levels, there.instances) == (block.resources, block.levels, 48)


def test_count_of_other_rtl_is_not_taken() -> None:
    assert measured(EncoderSpec.chip(5).evolve(conv={"filters": 1}, dense={"outputs": 1}), "gates") is None
    assert measured(EncoderSpec.chip(5), "ecp5") is None


@pytest.mark.parametrize("technology", ["gates", "xc7"])
def test_documented_sizes_are_those_of_the_count(technology: str) -> None:
    kept = shipped(technology)
    assert kept is not None
    total = f"{kept.total.nand2 or kept.total.lut:,}"
    assert re.search(rf"\*\*whole block\*\* \| \| \*\*{total}\*\* \|", (REPOSITORY / "docs" / "rtl.md").read_text())


@pytest.mark.parametrize("technology", ASKED_FOR)
def test_time_that_is_told_is_that_of_the_count(technology: str) -> None:
    kept = shipped(technology)
    assert kept is not None and kept.seconds is not None
    assert ASKED_FOR[technology] == f"about {-(-kept.seconds // 60)} min on one core"
