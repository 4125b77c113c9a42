"""Registers of the RTL, single and in three copies: written, cleared and scrubbed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.samples.rtl import CHIP, build, simulated
from rtl.design.registers import RegisterBank, RegisterFile
from rtl.simulation.simulate import pack


@pytest.mark.parametrize("scrubbed", [False, True])
def test_register_bank(scrubbed: bool) -> None:
    """Random writes, scrubbing and clearing, at once too: a write goes before scrubbing, clearing before both."""
    rng = np.random.default_rng(16)
    n, reset = 500, bytes([0x12, 0xAB, 0x00])
    clocks = {"write": rng.random(n) < 0.6, "clear": rng.random(n) < 0.1, "index": rng.integers(0, 3, n),
              "data": rng.integers(0, 256, n)}
    if scrubbed:
        clocks |= {"refresh": rng.random(n) < 0.3, "voted": rng.integers(0, 1 << 24, n)}
    memory, expected = bytearray(reset), []
    for i in range(n):
        expected.append(int.from_bytes(memory, "little"))
        if scrubbed and clocks["refresh"][i]:
            memory[:] = int(clocks["voted"][i]).to_bytes(3, "little")
        if clocks["write"][i]:
            memory[clocks["index"][i]] = clocks["data"][i]
        if clocks["clear"][i]:
            memory[:] = reset
    np.testing.assert_array_equal(simulated(RegisterBank(reset, scrubbed), clocks, "value", clocked=True), expected)


@pytest.mark.slow
def test_redundant_registers_are_written_and_cleared_like_single_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n, cleared = 4000, 3000
    stimuli = {"write": rng.random(n) < 0.9, "refresh": rng.random(n) < 0.2, "data": rng.integers(0, 256, n)}
    address = pack(rng.integers(0x390, 0xC00, n), 16, 2)
    outputs = []
    for redundant in (False, True):
        top = RegisterFile(CHIP, redundant)
        simulation = build(top, tmp_path / top.module_name)
        inputs = simulation.idle(n)
        for name, values in stimuli.items():
            inputs[name][:, 0] = values
        inputs["address"], inputs["clear"][cleared] = address, 1
        outputs.append(simulation.run(inputs, tmp_path))
    for name in ("weights", "mask", "n_links"):
        np.testing.assert_array_equal(*(output[name] for output in outputs), err_msg=name)
    assert outputs[0]["weights"][cleared].any() and not outputs[0]["weights"][cleared + 1].any()
