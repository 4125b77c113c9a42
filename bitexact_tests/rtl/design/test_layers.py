"""Neurons of the RTL one by one, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.rtl import CHIP, QKERAS
from models.spec import EncoderSpec
from rtl.design import encoder
from rtl.design.arithmetic import Target
from rtl.design.chip import AutoencoderChip
from rtl.design.layers import InputCode, Neuron


def neuron_reference(neuron: Neuron, code: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """code, weight (n, k), bias (n,) -> (n,)."""
    layer, sums = neuron.sums.layer, neuron.sums
    total = (code * weight >> sums.cut).sum(axis=1) + (bias << sums.fraction_bits - layer.bias.fraction_bits)
    return layer.output.requantize(np.maximum(total, 0), sums.fraction_bits)


@pytest.mark.parametrize("target", ["fpga", "asic"])
@pytest.mark.parametrize("spec", [CHIP, QKERAS], ids=["chip", "qkeras"])
@pytest.mark.parametrize("n_inputs", [0, 1, 6, 9])
def test_neuron(spec: EncoderSpec, target: Target, n_inputs: int) -> None:
    check_neuron(Neuron(spec.conv, spec.input, [InputCode.of(range(256))] * n_inputs, target), n=1000)


@pytest.mark.parametrize(("spec", "target"), [(CHIP, "fpga"), (QKERAS, "asic")], ids=["chip", "qkeras"])
def test_neuron_of_the_dense_layer_with_inputs_known_in_part(spec: EncoderSpec, target: Target) -> None:
    inputs = [encoder.hidden_codes(spec, n) for n in [9] * 96 + [0] * 32]
    check_neuron(Neuron(spec.dense, spec.conv.output, inputs, target), n=100)


def check_neuron(neuron: Neuron, n: int) -> None:
    """Random and extreme operands, one after the other, in Amaranth's simulator."""
    layer, k, rng = neuron.sums.layer, len(neuron.inputs), np.random.default_rng(1)
    once = np.array([known.once for known in neuron.inputs], dtype=np.int64)
    code = rng.integers(0, neuron.sums.data.max_code + 1, (n, k)) & once
    weight = rng.integers(layer.weight.min_code, layer.weight.max_code + 1, (n, k))
    weight[: n // 2] >>= rng.integers(0, 6, (n // 2, 1))
    code[: n // 10], weight[: n // 20], weight[n // 20 : n // 10] = once, layer.weight.max_code, layer.weight.min_code
    bias = rng.integers(layer.bias.min_code, layer.bias.max_code + 1, n)
    inputs = {"excess": neuron.sums.excess_of(code.sum(axis=1)), "bias": bias}
    if k:
        inputs |= {"code": code, "thrice": 3 * code, "weight": weight & ((1 << layer.weight.width) - 1)}
    found = []

    async def drive(context: SimulatorContext) -> None:
        for i in range(n):
            for name, values in inputs.items():
                port = getattr(neuron, name)
                context.set(port, list(map(int, values[i])) if np.ndim(values[i]) else int(values[i]))
            await context.delay(1e-9)
            found.append(context.get(neuron.result))

    simulator = Simulator(neuron)
    simulator.add_testbench(drive)
    simulator.run()
    np.testing.assert_array_equal(found, neuron_reference(neuron, code, weight, bias))


def test_a_product_cut_below_the_sign_of_its_weight_is_refused() -> None:
    layer = CHIP.dense.evolve(product="S3.5", bias="S1.3")
    with pytest.raises(ValueError, match="cut by 7 bits is not supported, expected at most 5"):
        Neuron(layer, CHIP.conv.output, [InputCode.of([1])], "asic")


@pytest.mark.parametrize("target", ["asic", "fpga"])
def test_page_names_the_blocks_of_the_design(target: Target) -> None:
    """Names of neurons hold a digest of all that their gates depend on."""
    page = (REPOSITORY / "docs" / "rtl.md").read_text(encoding="utf-8")
    neurons = [block.module_name for block in AutoencoderChip(CHIP, target).definitions() if isinstance(block, Neuron)]
    assert len(neurons) == 6
    assert [name for name in neurons if f"| `{name}` |" not in page] == []
