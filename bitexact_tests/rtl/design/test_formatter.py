"""The formatter of the RTL over an orbit, against the emulator's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.samples.rtl import CHIP, build
from emulator.algorithms.autoencoder import Autoencoder
from emulator.codes import FINE_SUM
from emulator.formatter import bx_counter
from emulator.link_words import join_words
from models.chip import LINK_BITS, ORBIT
from models.trigger_cells import CALQ_BITS
from models.weights import EncoderWeights
from rtl.design import formatter
from rtl.simulation.simulate import pack, unpack


@pytest.mark.parametrize("pipelined", [False, True])
def test_formatter_over_an_orbit(tmp_path: Path, pipelined: bool) -> None:
    """The formatter alone, with any outputs of an encoder and clocks without an event, against the emulator's."""
    rng = np.random.default_rng(15)
    top = formatter.Formatter(144, pipelined)
    simulation = build(top, tmp_path)
    n, n_links, mask = 8000, 4, int.from_bytes(rng.bytes(18), "little")
    taken = np.flatnonzero((rng.random(n) < 0.95) & (np.arange(n) > 8 * pipelined))  # the mask settles in 8 clocks
    output = rng.integers(0, 1 << 9, (n, 16))
    module_sum = rng.integers(0, 1 << CALQ_BITS, n) >> rng.integers(0, CALQ_BITS + 1, n)
    clocks = simulation.idle(n + top.latency)
    clocks["valid"][taken] = 1
    clocks["orbit_start"][taken[[0, -100]]] = 1
    for name, values, width in (("payload", output, 9), ("module_sum", module_sum, CALQ_BITS)):
        clocks[name][:n] = pack(values, width, clocks[name].shape[1])
    clocks["mask"] = np.frombuffer(mask.to_bytes(clocks["mask"].shape[1], "little"), np.uint8)
    clocks["n_links"] = n_links
    outputs = simulation.run(clocks, tmp_path)
    bx = np.concatenate([np.arange(len(taken) - 100), np.arange(100)])
    assert bx.max() > ORBIT
    block = Autoencoder(n_links, mask, EncoderWeights.constant(CHIP, 0))
    stages = {"output_code": output[taken], "sum_code": FINE_SUM.encode(module_sum[taken])}
    words = block.packets(stages, bx_counter(bx)).words[:, : 2 * n_links]
    expected = np.zeros((len(outputs), 5), dtype=np.int64)
    expected[taken + top.latency, :n_links] = join_words(words)
    np.testing.assert_array_equal(unpack(outputs["words"], LINK_BITS, 5), expected)
    np.testing.assert_array_equal(np.flatnonzero(outputs["words_valid"]), taken + top.latency)
