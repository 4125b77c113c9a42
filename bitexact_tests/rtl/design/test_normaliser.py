"""The floating code of the module sum in the RTL."""

from __future__ import annotations

import numpy as np

from rtl.design.normaliser import FloatEncoder


def test_float_encoder_saturates_where_the_exponent_ends() -> None:
    """2 bits of exponent and 3 of mantissa for 8-bit numbers: the published rule, all 256 values."""
    from amaranth.sim import Simulator, SimulatorContext

    block, found = FloatEncoder(8, 2, 3), []

    async def drive(context: SimulatorContext) -> None:
        for value in range(256):
            context.set(block.value, value)
            await context.delay(1e-9)
            found.append(context.get(block.code))

    simulator = Simulator(block)
    simulator.add_testbench(drive)
    simulator.run()
    lengths = [value.bit_length() for value in range(256)]
    expected = [value if n <= 3 else min((n - 3) * 8 + (value >> n - 4) % 8, 31) if n - 3 < 4 else 31
                for value, n in zip(range(256), lengths, strict=True)]
    np.testing.assert_array_equal(found, expected)
