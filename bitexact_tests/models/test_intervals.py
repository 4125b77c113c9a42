"""Accumulator ranges: reached by the inputs that they name, never left by any other."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import encode
from models.config import Config
from models.intervals import accumulator_ranges
from models.spec import EncoderSpec
from models.weights import EncoderWeights

CHIP = EncoderSpec.chip(5)


def test_ranges_hold_for_every_configuration(config: Config) -> None:
    spec = config.encoder
    rng = np.random.default_rng(1)
    calq = rng.integers(0, 1 << 22, (2000, 48))
    calq[::2] = rng.integers(0, 300, (1000, 48))
    for density in (0.1, 1.0):
        weights = EncoderWeights.random(spec, 1, density)
        trace, ranges = encode(weights, calq), accumulator_ranges(weights)
        for stage, interval in ranges.items():
            sums = trace[stage].reshape(-1, len(interval.low))
            assert (sums >= interval.low).all() and (sums <= interval.high).all(), stage
            assert interval.fits


@pytest.mark.parametrize("seed", range(5))
def test_conv_range_is_reached(seed: int) -> None:
    """The highest sum of each filter from the pixels that its positive weights see, computed product by product."""
    weights = EncoderWeights.random(CHIP, seed)
    kernel = weights.conv_kernel.reshape(9, 8).astype(int)
    interval = accumulator_ranges(weights)["conv_sum"]
    for f in range(8):
        ends = [sorted((0, 255 * int(w) >> 5)) for w in kernel[:, f]]
        bias = int(weights.conv_bias[f]) << 2
        assert interval.low[f] == sum(low for low, _ in ends) + bias
        assert interval.high[f] == sum(high for _, high in ends) + bias


@pytest.mark.parametrize("code", [-32, 31])
def test_extreme_weights_need_the_whole_accumulator(code: int) -> None:
    """The accumulator of the spec is the narrowest for all weights."""
    interval = accumulator_ranges(EncoderWeights.constant(CHIP, code))["conv_sum"]
    assert interval.fits and interval.bits == CHIP.conv_accumulator.width


def test_an_accumulator_that_is_too_narrow_is_seen() -> None:
    from dataclasses import replace

    from models.fixed_point import FixedPoint

    interval = accumulator_ranges(EncoderWeights.random(CHIP, 1))["dense_sum"]
    assert not replace(interval, accumulator=FixedPoint(interval.bits - 1, 2, signed=True)).fits
    assert replace(interval, accumulator=FixedPoint(interval.bits, 2, signed=True)).fits
