"""Time of one orbit (3564 bunch crossings) through the whole chip, eRx words to eTx words, by algorithm."""

from __future__ import annotations

from typing import Any

import pytest

from bitexact_tests.samples.link_words import RANDOM_ORBIT
from emulator import EconT
from models.chip import ORBIT, Algorithm
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights


@pytest.mark.parametrize("algorithm", Algorithm, ids=lambda algorithm: algorithm.short_name)
def test_orbit(benchmark: Any, algorithm: Algorithm) -> None:
    registers = for_encoder(EncoderWeights.random(EncoderSpec.chip(5), 1)).with_values({
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": algorithm, "FMTBUF_ALL.config.stc_type": 0,
    })
    benchmark.group = "one orbit"
    frames = benchmark(EconT(registers).run, RANDOM_ORBIT)
    assert frames.etx.shape == (ORBIT, 13)
    benchmark.extra_info["bx_per_s"] = ORBIT / benchmark.stats.stats.median if benchmark.stats else None
