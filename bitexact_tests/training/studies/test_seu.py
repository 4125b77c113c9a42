"""Flips of single bits: the emulator's shortcut against plain runs, the compiled RTL against both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from bitexact_tests.conftest import REPOSITORY, missing
from emulator import encode
from emulator.algorithms.autoencoder import Autoencoder
from emulator.chip import EconT
from emulator.codes import FINE_SUM
from emulator.upsets import weight_flips
from models.config import Config
from models.errors import InputError, ToolMissing
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.trigger_cells import to_trigger_cells
from models.weights import EncoderWeights
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.mapping.yosys import YosysError, write_verilog
from rtl.simulation.bench import weight_writes
from rtl.simulation.upsets import registers
from training.commands.seu import as_json, ranking
from training.figures.seu import critical_bits
from training.physics.emd import emd
from training.production.toy import generate
from training.studies.seu import (
    MEANINGS,
    Bits,
    Receiver,
    choose_events,
    frame_figures,
    frames_of,
    redundancy,
    rtl_upsets,
    weight_upsets,
    wrong_vote,
)
from training.studies.seu_rtl import FlipBench

N_WEIGHT_BITS = 12_864
SPECS = [EncoderSpec.chip(5), EncoderSpec.chip(2), Config.load(REPOSITORY / "configs" / "qkeras_5elink.yaml").encoder]


def flipped(weights: EncoderWeights, bit: int) -> EncoderWeights:
    """The weights with one bit of the register file turned around, by way of the bytes that are written."""
    writes = [(address, bytearray(data)) for address, data in weight_writes(weights)]
    block, place = divmod(bit, 8 * len(writes[0][1]))
    writes[block][1][place // 8] ^= 1 << place % 8
    text = "".join(f"{byte:08b}"[::-1] for _, data in writes for byte in data)
    codes = [int(text[i : i + 6][::-1], 2) for i in range(0, len(text), 6)]
    return EncoderWeights.from_flat(weights.spec, np.array([code - 64 if code > 31 else code for code in codes]))


def some_bits(n: int, seed: int) -> np.ndarray:
    """Bits of every array: all of the biases, some of the rest."""
    kernel, bias, rng = 72 * 6, 8 * 6, np.random.default_rng(seed)
    biases = [np.arange(kernel, kernel + bias), np.arange(N_WEIGHT_BITS - 96, N_WEIGHT_BITS)]
    return np.unique(np.concatenate([*biases, rng.integers(0, kernel, n // 4), rng.integers(0, N_WEIGHT_BITS, n)]))


def fake_decode(latent: np.ndarray, module_sum: np.ndarray) -> np.ndarray:
    """Charge fractions that depend on every latent and on the sum."""
    cells = np.arange(48)
    weight = 1 + np.cos(np.outer(cells, np.arange(1, latent.shape[1] + 1)))
    return latent @ weight.T + (np.log1p(module_sum)[:, None] + cells) % 5 + 0.1


@pytest.mark.parametrize("spec", SPECS, ids=["5 links", "2 links", "qkeras"])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_shortcut_equals_a_plain_run_with_the_bit_flipped(spec: EncoderSpec, density: float) -> None:
    weights = EncoderWeights.random(spec, 5, density)
    calq = generate(40, seed=3)
    plain = encode(weights, calq)["output_code"]
    blocks = list(weight_flips(weights, calq))
    np.testing.assert_array_equal(np.sort(np.concatenate([block.bits for block in blocks])), np.arange(N_WEIGHT_BITS))
    found = {int(bit): (block, m) for block in blocks for m, bit in enumerate(block.bits)}
    for bit in some_bits(120, seed=1).tolist():
        block, m = found[bit]
        outputs = plain.copy()
        outputs[:, block.outputs] = block.output_code[m]
        expected = encode(flipped(weights, bit), calq)["output_code"]
        np.testing.assert_array_equal(outputs, expected, err_msg=f"weight bit {bit}")


def test_figures_of_weights_equal_a_plain_loop() -> None:
    spec = EncoderSpec.chip(3)
    weights = EncoderWeights.random(spec, 8, 0.3)
    calq = generate(60, seed=4)
    calq = calq[choose_events(calq, 30)]
    receiver = Receiver(weights, fake_decode, calq[:12])
    found = weight_upsets(receiver, calq)
    figures = {name: np.concatenate([one.figures[name] for one in found]) for name in found[0].figures}
    assert [len(one.place) for one in found] == [432, 48, 12288, 96]
    plain = encode(weights, calq)

    def distances(latent: np.ndarray) -> np.ndarray:
        module_sum = FINE_SUM.decode(FINE_SUM.encode(plain["module_sum"][:12]))
        return emd(to_trigger_cells(calq[:12]), fake_decode(spec.latent.value(latent[:12]), module_sum))

    before = distances(plain["latent_code"])
    assert receiver.plain_emd() == pytest.approx(before.mean(), rel=1e-12)
    n_changed = 0
    for bit in some_bits(30, seed=2).tolist():
        latent = encode(flipped(weights, bit), calq)["latent_code"]
        difference = np.abs(latent - plain["latent_code"]).sum(axis=1)
        assert figures["latent_changed"][bit] == (difference > 0).mean(), bit
        assert figures["code_difference"][bit] == pytest.approx(difference.mean(), rel=1e-12), bit
        sums = FINE_SUM.encode(plain["module_sum"])
        outputs = encode(flipped(weights, bit), calq)["output_code"]
        changed = (frames_of(weights, outputs, sums) != frames_of(weights, plain["output_code"], sums)).any(axis=1)
        assert figures["frame_changed"][bit] == changed.mean(), bit
        change = (distances(latent) - before).mean()
        assert figures["emd_change"][bit] == pytest.approx(change, rel=1e-9, abs=1e-12), bit
        n_changed += change != 0
    assert n_changed > 20


@pytest.mark.parametrize("n_elinks", [2, 3, 4, 5])
def test_frames_are_the_chips_and_read_back(n_elinks: int) -> None:
    spec = EncoderSpec.chip(n_elinks)
    weights = EncoderWeights.random(spec, 3, 0.3)
    calq = generate(40, seed=5)
    trace = encode(weights, calq)
    sum_code = FINE_SUM.encode(trace["module_sum"])
    frames = frames_of(weights, trace["output_code"], sum_code)
    registers = for_encoder(weights)
    np.testing.assert_array_equal(frames, EconT(registers).run_calq(calq).etx[:, :n_elinks])
    latent, sums = Receiver(weights, fake_decode, calq).read(frames[None])
    np.testing.assert_array_equal(latent[0], trace["latent_code"])
    np.testing.assert_array_equal(sums[0], sum_code)


def test_equal_latents_of_other_events_are_other_distances() -> None:
    calq = generate(60, seed=9)
    receiver = Receiver(EncoderWeights.random(EncoderSpec.chip(5), 1), fake_decode, calq[choose_events(calq, 8)])
    event, latent = np.tile(np.arange(8), 2), np.ones((16, 16), dtype=np.int64)
    found = receiver.emd(event, latent, np.full(16, 100))
    true = to_trigger_cells(receiver.calq[event])
    maps = fake_decode(receiver.spec.latent.value(latent), FINE_SUM.decode(np.full(16, 100)))
    np.testing.assert_array_equal(found, emd(true, maps))
    assert len(np.unique(found)) == 8


def test_sum_codes_survive_their_value() -> None:
    codes = np.arange(512)
    np.testing.assert_array_equal(FINE_SUM.encode(FINE_SUM.decode(codes)), codes)


def test_no_event_with_charge_is_an_error() -> None:
    with pytest.raises(InputError, match="none of 3 modules has a cell above 35 CALQ"):
        choose_events(np.full((3, 48), 35), 10)


def test_wrong_vote_is_two_or_three_copies_with_an_odd_number_of_flips() -> None:
    mean, rng = 0.7, np.random.default_rng(1)
    odd = sum(np.exp(-mean) * mean**k / np.prod(np.arange(1, k + 1.0)) for k in range(1, 40, 2))
    assert wrong_vote(mean) == pytest.approx(3 * odd**2 * (1 - odd) + odd**3, rel=1e-12)
    votes = (rng.poisson(mean, (3, 200_000)) % 2).sum(axis=0) >= 2
    assert wrong_vote(mean) == pytest.approx(votes.mean(), rel=0.02)
    assert wrong_vote(1e-9) == pytest.approx(3e-18, rel=1e-6)


def test_label_names_code_and_bit() -> None:
    bits = Bits("mask", "settings", np.arange(20) % 9)
    assert [bits.label(k) for k in (0, 8, 9)] == ["mask[0] bit 0", "mask[0] bit 8", "mask[1] bit 0"]
    assert Bits("sum", "pipeline", np.arange(22)).label(21) == "sum bit 21"


def test_ranking_and_figure_show_the_worst_bits_of_each_kind() -> None:
    rng = np.random.default_rng(2)
    sizes = {"dense_kernel": ("weights", 12288, 6), "mask": ("settings", 144, 9),
             "encoder.words": ("pipeline", 160, 32)}
    bits = [Bits(name, kind, np.arange(n) % period, {key: rng.random(n) for key in MEANINGS})
            for name, (kind, n, period) in sizes.items()]
    bits.append(Bits("marks", "pipeline", np.arange(2)))
    ranked = ranking(bits, 3)
    assert [row["kind"] for row in ranked] == ["weights"] * 3 + ["settings"] * 3 + ["pipeline"] * 3
    worst = int(bits[0].figures["emd_change"].argmax())
    assert ranked[0]["name"] == f"dense_kernel[{worst // 6}] bit {worst % 6}"
    assert ranked[0]["emd_change"] == round(bits[0].figures["emd_change"].max(), 6)
    figure = critical_bits({"bits": [as_json(one) for one in bits]}, EncoderSpec.chip(5))
    by_place, curve, dense, _ = figure.axes
    assert [label.get_text() for label in by_place.get_yticklabels()] == ["dense_kernel (12,288)", "mask (144)",
                                                                           "words (160)"]
    np.testing.assert_allclose(curve.lines[0].get_ydata(), np.sort(bits[0].figures["emd_change"])[::-1], atol=1e-6)
    assert dense.collections[0].get_array().shape == (16, 128)
    spec = EncoderSpec.chip(5)
    other = spec.model_copy(update={"dense": spec.dense.model_copy(update={"outputs": 12})})
    bits[0] = Bits("dense_kernel", "weights", bits[0].place[: 12 * 128 * 6],
                   {key: values[: 12 * 128 * 6] for key, values in bits[0].figures.items()})
    smaller = critical_bits({"bits": [as_json(one) for one in bits]}, other).axes[2]
    assert smaller.collections[0].get_array().shape == (12, 128)


@pytest.mark.parametrize("redundant", [False, True])
def test_no_register_of_the_verilog_is_forgotten(redundant: bool, tmp_path: Path) -> None:
    top = AutoencoderChip(EncoderSpec.chip(5), redundant=redundant)
    found = registers(top)
    assert len({one.path for one in found}) == len(found)
    copies = 3 if redundant else 1
    assert sum(one.width for one in found if ".registers." in one.path) == copies * (N_WEIGHT_BITS + 144 + 8)
    write_verilog(top, tmp_path / "top.v")
    text = (tmp_path / "top.v").read_text()
    assert text.count("posedge") == len({(one.block, one.name) for one in found})


class Odd(Block):
    """A memory, or two registers of one name."""

    clocked = True

    def __init__(self, with_memory: bool) -> None:
        super().__init__("odd", {"out": Out(8)})
        self._with_memory = with_memory

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._with_memory:
            m.submodules.memory = memory = Memory(shape=8, depth=4, init=[1, 2, 3, 4])
            m.d.comb += self.out.eq(memory.read_port().data)
        else:
            first, second = Signal(8, name="counter"), Signal(8, name="counter")
            m.d.sync += [first.eq(first + 1), second.eq(second + first)]
            m.d.comb += self.out.eq(first ^ second)
        return m


@pytest.mark.parametrize(("with_memory", "message"), [(True, "expected every register"), (False, "no plain name")])
def test_state_that_cannot_be_flipped_is_an_error(with_memory: bool, message: str) -> None:
    with pytest.raises(YosysError, match=message):
        registers(Odd(with_memory))


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlipBench]:
    """The chip with redundant registers, compiled once, with random weights."""
    try:
        yield FlipBench.build(EncoderWeights.random(EncoderSpec.chip(5), 21, 0.3), tmp_path_factory.mktemp("flips"))
    except ToolMissing as error:
        missing(str(error))


@pytest.fixture(scope="module")
def receiver(chip: FlipBench) -> Receiver:
    calq = generate(60, seed=6)
    return Receiver(chip.weights, fake_decode, calq[choose_events(calq, 16)])


def pipeline_bits(chip: FlipBench, name: str) -> list[tuple[int, int]]:
    return [bit for bit in chip.bits() if chip.registers[bit[0]].name == name]


def expected_frames(receiver: Receiver, output_code: np.ndarray) -> np.ndarray:
    module_sum = encode(receiver.weights, receiver.calq)["module_sum"]
    return frames_of(receiver.weights, output_code, FINE_SUM.encode(module_sum))


def test_frames_without_flips(chip: FlipBench, receiver: Receiver) -> None:
    trace = encode(receiver.weights, receiver.calq)
    found = chip.clean(receiver.calq)
    np.testing.assert_array_equal(found[:, :-1], expected_frames(receiver, trace["output_code"]))
    np.testing.assert_array_equal(found[:, -1], 1)


def test_flipped_output_codes_and_words(chip: FlipBench, receiver: Receiver) -> None:
    trace, clean = encode(receiver.weights, receiver.calq), chip.clean(receiver.calq)
    for name in ("output_code", "kept_payload"):
        bits = pipeline_bits(chip, name)
        found = chip.pipeline_flips(receiver.calq, bits)
        for k, (_, bit) in enumerate(bits):
            outputs = trace["output_code"].copy()
            outputs[:, bit // 9] ^= 1 << bit % 9
            np.testing.assert_array_equal(found[k, :, :-1], expected_frames(receiver, outputs), err_msg=f"{name} {bit}")
    bits = pipeline_bits(chip, "words")
    found = chip.pipeline_flips(receiver.calq, bits)
    for k, (_, bit) in enumerate(bits):
        expected = clean.copy()
        expected[:, bit // 32] ^= 1 << bit % 32
        np.testing.assert_array_equal(found[k], expected, err_msg=f"words {bit}")


def test_flipped_hidden_codes(chip: FlipBench, receiver: Receiver) -> None:
    """Of pixels that see a charge; the others have bits that the dense layer takes for zero."""
    dense, hidden = receiver.spec.dense, encode(receiver.weights, receiver.calq)["hidden_code"]
    bits = [bit for bit in pipeline_bits(chip, "hidden_code") if bit[1] // 64 not in (10, 11, 14, 15)][::5]
    assert len(bits) > 100
    found = chip.pipeline_flips(receiver.calq, bits)
    kernel, bias = (array.astype(np.int64) for array in (receiver.weights.dense_kernel, receiver.weights.dense_bias))
    for k, (_, bit) in enumerate(bits):
        turned = hidden.astype(np.int64)
        turned[:, bit // 8] ^= 1 << bit % 8
        total = sum((turned[:, i, None] * kernel[i] >> 4 for i in range(128)), bias << 3)
        outputs = dense.output.requantize(np.maximum(total, 0), 8)
        np.testing.assert_array_equal(found[k, :, :-1], expected_frames(receiver, outputs), err_msg=f"hidden {bit}")


def test_a_flip_of_the_pipeline_changes_one_frame_but_those_that_count_crossings(
    chip: FlipBench, receiver: Receiver
) -> None:
    changed = chip.lasting(receiver.calq).sum(axis=1)
    names = np.array([chip.registers[number].name for number, _ in chip.bits()])
    assert len(names) == 1548
    counting = np.isin(names, ["next_bx", "marks_0", "marks_1"])
    assert changed[~counting].max() == 1
    assert set(names[changed > 1]) == {"next_bx", "marks_0", "marks_1"}
    visible = np.isin(names, ["words", "words_valid", "kept_counter", "kept_valid", "output_code"])
    np.testing.assert_array_equal(changed[visible], 1)


def test_flipped_settings_and_weights_without_redundancy(chip: FlipBench, receiver: Receiver) -> None:
    weights, calq = receiver.weights, receiver.calq
    trace = encode(weights, calq)
    stages = {"output_code": trace["output_code"], "sum_code": FINE_SUM.encode(trace["module_sum"])}
    counter = np.concatenate([[31], np.arange(1, len(calq)) % 16])
    found = chip.stored_flips(calq, range(N_WEIGHT_BITS, N_WEIGHT_BITS + 152))
    settings = [(5, receiver.spec.ae_mask ^ 1 << bit) for bit in range(144)]
    settings += [(5 ^ (1 << bit >> 4), receiver.spec.ae_mask) for bit in range(8)]
    for k, (n_elinks, mask) in enumerate(settings):
        words = Autoencoder(n_elinks, mask, weights).packets(stages, counter).words[:, :10].astype(np.int64)
        expected = np.where(np.arange(5) < n_elinks, words[:, 0::2] << 16 | words[:, 1::2], 0)
        np.testing.assert_array_equal(found[k, :, :-1], expected, err_msg=f"setting bit {k}")
    bits = some_bits(20, seed=3)[::8].tolist()
    found = chip.stored_flips(calq, bits)
    for k, bit in enumerate(bits):
        outputs = encode(flipped(weights, bit), calq)["output_code"]
        np.testing.assert_array_equal(found[k, :, :-1], expected_frames(receiver, outputs), err_msg=f"weight {bit}")


def test_vote_and_scrubbing_in_the_rtl(chip: FlipBench, receiver: Receiver) -> None:
    result = redundancy(receiver, chip, 6, 260)
    assert result["n_bits"] == 260
    assert result["frames_changed_by_one_copy"] == 0
    assert result["frames_changed_by_another_copy_after_scrubbing"] == 0
    assert result["bits_that_change_frames_with_two_copies_wrong"] > 50
    assert result["frames_equal_to_emulator_with_two_copies_wrong"] > 6 * 240


def test_figures_of_the_rtl(chip: FlipBench, receiver: Receiver) -> None:
    bits, pipeline = rtl_upsets(receiver, chip)
    assert pipeline["n_bits"] == 1548 and pipeline["n_one_crossing"] == 1532 and pipeline["most_frames_of_these"] == 1
    assert [one.name for one in bits if not one.figures] == ["formatter.next_bx", "marks_0", "marks_1"]
    by_name = {one.name: one for one in bits}
    assert sum(len(one.place) for one in bits) == 1548 + 152
    np.testing.assert_array_equal(by_name["formatter.words"].figures["frame_changed"], 1)
    sums = by_name["formatter.kept_sum_code"].figures
    assert (sums["sum_changed"] == 1).all() and not sums["latent_changed"].any()
    assert (by_name["encoder.output_code"].figures["code_difference"] == np.tile(1 << np.arange(9), 16)).all()


def test_figures_of_frames_equal_a_plain_loop(receiver: Receiver) -> None:
    trace = encode(receiver.weights, receiver.calq)
    sum_code = FINE_SUM.encode(trace["module_sum"])
    plain = np.pad(frames_of(receiver.weights, trace["output_code"], sum_code), ((0, 0), (0, 1)))
    rng = np.random.default_rng(4)
    frames = np.tile(plain, (3, 1, 1))
    frames[0, ::2, 2] ^= rng.integers(0, 1 << 32, len(plain[::2]))
    frames[1, :, 0] ^= 1 << 30
    found = frame_figures(receiver, plain, frames)
    for k in range(3):
        latent, sums = receiver.read(frames[k])
        maps = [fake_decode(receiver.spec.latent.value(codes), FINE_SUM.decode(total))
                for codes, total in ((latent, sums), (trace["latent_code"], sum_code))]
        distance = [emd(to_trigger_cells(receiver.calq), one) for one in maps]
        assert found["emd_change"][k] == pytest.approx((distance[0] - distance[1]).mean(), abs=1e-12)
        assert found["code_difference"][k] == np.abs(latent - trace["latent_code"]).sum(axis=1).mean()
    np.testing.assert_array_equal(found["frame_changed"], [0.5, 1, 0])
    assert not found["sum_changed"].any() and found["emd_change"][1] == 0
