"""An orbit through the whole chip takes little CPU time."""

from __future__ import annotations

import time

import pytest

from bitexact_tests.samples.link_words import RANDOM_ORBIT
from emulator import EconT
from models.chip import ORBIT, Algorithm
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights

LIMIT = {algorithm: 0.1 if algorithm is Algorithm.AUTOENCODER else 0.05 for algorithm in Algorithm}
"""Seconds."""


@pytest.mark.parametrize("algorithm", Algorithm, ids=lambda algorithm: algorithm.short_name)
def test_an_orbit_stays_quick(algorithm: Algorithm) -> None:
    chip = EconT(for_encoder(EncoderWeights.random(EncoderSpec.chip(5), 1)).with_values({
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": algorithm, "FMTBUF_ALL.config.stc_type": 0}))
    seconds = []
    for _ in range(7):
        start = time.process_time()
        frames = chip.run(RANDOM_ORBIT)
        seconds.append(time.process_time() - start)
    assert frames.etx.shape == (ORBIT, 13) and min(seconds) < LIMIT[algorithm]
