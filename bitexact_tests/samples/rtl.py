"""Encoders that are made into RTL, and RTL that is compiled for the simulation."""

from __future__ import annotations

from pathlib import Path

from bitexact_tests.conftest import missing
from models.config import Config
from models.errors import ToolMissing
from models.spec import EncoderSpec
from rtl.design.block import Block
from rtl.simulation.simulate import Simulation

QKERAS = Config.load("qkeras_5elink").encoder
CHIP = EncoderSpec.chip(5)


def build(top: Block, folder: Path) -> Simulation:
    """Compile a block, or skip the test where the compiler is missing."""
    try:
        return Simulation.build(top, folder)
    except ToolMissing as error:
        missing(str(error))
        raise
