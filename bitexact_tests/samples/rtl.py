"""Encoders that are made into RTL, and RTL that is compiled for the simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from amaranth.sim import Simulator, SimulatorContext

from bitexact_tests.conftest import missing
from emulator import encode
from models.config import Config
from models.errors import ToolMissing
from models.spec import EncoderSpec
from models.trigger_cells import channel_to_pixel
from models.weights import EncoderWeights
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


def simulated(block: Block, clocks: dict[str, np.ndarray], output: str, clocked: bool) -> np.ndarray:
    """What Amaranth's simulator shows at `output` before each edge of the clock."""
    simulator, found = Simulator(block), []

    async def drive(context: SimulatorContext) -> None:
        for values in zip(*clocks.values(), strict=True):
            for name, value in zip(clocks, values, strict=True):
                context.set(getattr(block, name), int(value))
            found.append(context.get(getattr(block, output)))
            await (context.tick() if clocked else context.delay(1e-9))

    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return np.array(found)


def encoded(weights: EncoderWeights, calq: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Input codes of the channels and output codes, by the emulator."""
    trace = encode(weights, calq)
    return trace["image_code"].reshape(-1, 64)[:, channel_to_pixel()], trace["output_code"]
