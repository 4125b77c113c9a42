"""The blocks of the RTL one by one: neurons, formatter, registers and vote, against NumPy and the emulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext

from bitexact_tests.samples.rtl import CHIP, QKERAS, build
from emulator.algorithms.autoencoder import Autoencoder
from emulator.codes import FINE_SUM
from emulator.formatter import bx_counter
from emulator.link_words import join_words
from models.chip import LINK_BITS, ORBIT
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS
from models.weights import EncoderWeights
from rtl.design import encoder, formatter
from rtl.design.arithmetic import Target
from rtl.design.block import Block
from rtl.design.layers import InputCode, Neuron
from rtl.design.registers import RegisterBank, RegisterFile
from rtl.design.voter import Voter
from rtl.simulation.simulate import pack, unpack


def test_formatter_over_an_orbit(tmp_path: Path) -> None:
    """The formatter alone, with any outputs of an encoder and clocks without an event, against the emulator's."""
    rng = np.random.default_rng(15)
    top = formatter.Formatter(144)
    simulation = build(top, tmp_path)
    n, n_links, mask = 8000, 4, int.from_bytes(rng.bytes(18), "little")
    taken = np.flatnonzero(rng.random(n) < 0.95)
    output = rng.integers(0, 1 << 9, (n, 16))
    module_sum = rng.integers(0, 1 << CALQ_BITS, n) >> rng.integers(0, CALQ_BITS + 1, n)
    clocks = simulation.idle(n + formatter.LATENCY)
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
    expected[taken + formatter.LATENCY, :n_links] = join_words(words)
    np.testing.assert_array_equal(unpack(outputs["words"], LINK_BITS, 5), expected)
    np.testing.assert_array_equal(np.flatnonzero(outputs["words_valid"]), taken + formatter.LATENCY)


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


def test_majority_of_three() -> None:
    a, b, c = np.meshgrid(*[np.arange(8)] * 3)
    inputs = {"a": a.ravel(), "b": b.ravel(), "c": c.ravel()}
    bits = sum((value[:, None] >> np.arange(3)) & 1 for value in inputs.values())
    expected = (bits >= 2) @ (1 << np.arange(3))
    np.testing.assert_array_equal(simulated(Voter(3), inputs, "voted", clocked=False), expected)


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
