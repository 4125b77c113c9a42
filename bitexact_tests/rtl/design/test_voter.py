"""The vote of three copies, for all inputs."""

from __future__ import annotations

import numpy as np

from bitexact_tests.samples.rtl import simulated
from rtl.design.voter import Voter


def test_majority_of_three() -> None:
    a, b, c = np.meshgrid(*[np.arange(8)] * 3)
    inputs = {"a": a.ravel(), "b": b.ravel(), "c": c.ravel()}
    bits = sum((value[:, None] >> np.arange(3)) & 1 for value in inputs.values())
    expected = (bits >= 2) @ (1 << np.arange(3))
    np.testing.assert_array_equal(simulated(Voter(3), inputs, "voted", clocked=False), expected)
