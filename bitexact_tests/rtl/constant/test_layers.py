"""Layers with constant weights, by da4ml: the emulator's integers for every product, sum and event."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bitexact_tests.matrix import charges
from bitexact_tests.samples.rtl import CHIP, QKERAS, encoded
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from models.weights import EncoderWeights

pytest.importorskip("da4ml")

from da4ml.trace import FixedVariableArray, comb_trace

from rtl.constant import layers as constant
from rtl.constant.layers import ConstantLayers

WEIGHTS: dict[str, Callable[[EncoderSpec], EncoderWeights]] = {
    "zero": lambda spec: EncoderWeights.constant(spec, 0),
    "all -32": lambda spec: EncoderWeights.constant(spec, -32),
    "all -1": lambda spec: EncoderWeights.constant(spec, -1),
    "all 31": lambda spec: EncoderWeights.constant(spec, 31),
    "random": lambda spec: EncoderWeights.random(spec, 1),
    "sparse": lambda spec: EncoderWeights.random(spec, 2, density=0.1),
}


@pytest.mark.parametrize("family", WEIGHTS)
@pytest.mark.parametrize("spec", [CHIP, QKERAS], ids=["chip", "qkeras"])
def test_integers_of_da4ml_equal_the_emulator(spec: EncoderSpec, family: str) -> None:
    weights = WEIGHTS[family](spec)
    image, output = encoded(weights, charges(1500))
    np.testing.assert_array_equal(ConstantLayers.trace(weights).emulate(image), output)


def test_every_cut_product_of_every_code() -> None:
    """All 6-bit weights times all 8-bit codes, cut by 1 to 13 bits: floors, also of small negative products."""
    codes, weights = np.arange(256), np.arange(-32, 32)
    one = np.array([8]), np.array([0])
    for cut in range(1, 14):
        inputs = FixedVariableArray.from_kif(one[1], *one, hwconf=constant._HARDWARE)
        places = [([inputs[0]], weights[None, :])]
        logic = comb_trace(inputs, constant._floored(places, cut))
        np.testing.assert_array_equal(logic.predict(codes[:, None].astype(float)), codes[:, None] * weights >> cut)


@pytest.mark.parametrize("output", ["U1.8 floor saturate", "U1.8 floor wrap", "U1.6 half_even saturate",
                                    "U2.3 half_even wrap", "U1.8 half_even saturate"])
def test_every_sum_is_rounded_and_limited_as_the_format_says(output: str) -> None:
    form = FixedPoint.parse(output)
    layer = CHIP.dense.evolve(output=form)
    totals = np.arange(-(1 << 11), 1 << 11)
    inputs = FixedVariableArray.from_kif(np.array([1]), np.array([11]), np.array([0]), hwconf=constant._HARDWARE)
    logic = comb_trace(inputs, [constant._activate(layer, 8, inputs[0])])
    np.testing.assert_array_equal(logic.predict(totals[:, None].astype(float))[:, 0],
                                  form.requantize(np.maximum(totals, 0), 8))


def test_too_many_stages_name_the_depth() -> None:
    with pytest.raises(InputError, match=r"the longest path has \d+ adders"):
        ConstantLayers.trace(EncoderWeights.random(CHIP, 3, density=0.08)).pipelined(0)
