"""The RTL through Verilator against the emulator and the chip's vectors: every stage, every frame, every clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.comparison import compare_stages
from bitexact_tests.conftest import SHARED_DATA
from bitexact_tests.samples.charges import charges
from bitexact_tests.samples.rtl import CHIP, QKERAS, build
from emulator import encode
from emulator.chip import EconT
from emulator.links import ERX, ETX
from emulator.verify import with_links_of
from models.errors import InputError
from models.i2c import i2c_writes
from models.register_weights import encoder_weights, for_encoder
from models.registers import Registers
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, channel_to_pixel
from models.weights import EncoderWeights
from rtl.design import encoder, formatter
from rtl.design.chip import LATENCY, AutoencoderChip
from rtl.simulation.bench import Bench, format_writes, weight_writes
from rtl.simulation.simulate import Records, pack

AE_SETS = sorted(path.parent.name for path in (SHARED_DATA / "econt_vectors" / "mcDataset").glob("AE*/init.yaml"))


@pytest.fixture(scope="module", params=[
    pytest.param((1, False), id="fold1"), pytest.param((2, False), id="fold2", marks=pytest.mark.slow),
    pytest.param((16, False), id="fold16"), pytest.param((2, True), id="pipelined2", marks=pytest.mark.slow),
    pytest.param((16, True), id="pipelined16", marks=pytest.mark.slow),
    pytest.param((32, True), id="pipelined32", marks=pytest.mark.slow)])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The whole chip with each encoder, compiled once."""
    fold, pipelined = request.param
    top = AutoencoderChip(CHIP, fold=fold, pipelined=pipelined)
    return Bench(top, build(top, tmp_path_factory.mktemp("chip")))


def run(bench: Bench, *parts: Records) -> Records:
    """Outputs of clocks in sequence, and of enough more to empty the pipeline."""
    return bench.simulation.run(np.concatenate([*parts, bench.simulation.idle(bench.top.latency)]),
                                bench.simulation.program.parent)


def loaded(bench: Bench, weights: EncoderWeights, n_elinks: int = 5) -> Records:
    spec = EncoderSpec.chip(n_elinks)
    return np.concatenate([bench.writing(weight_writes(weights)),
                           bench.writing(format_writes(spec.ae_mask, n_elinks))])


def expected_frames(weights: EncoderWeights, calq: np.ndarray, first_bx: int = 0, n_elinks: int = 5) -> np.ndarray:
    registers = for_encoder(weights).with_values({
        "FMTBUF_ALL.config.eporttx_numen": n_elinks,
        **{f"FMTBUF_ALL.{name}": value
           for name, value in split_mask(EncoderSpec.chip(n_elinks).ae_mask).items()},
    })
    return EconT(registers).run_calq(calq, first_bx).etx


def split_mask(mask: int) -> dict[str, int]:
    return {"mask_ae": mask & ((1 << 128) - 1), "mask_ae2": mask >> 128}


def assert_frames(found: np.ndarray, expected: np.ndarray) -> None:
    """All words of all links; the RTL has no wires for links that its frames never fill."""
    np.testing.assert_array_equal(found, expected[:, : found.shape[1]])
    assert not expected[:, found.shape[1] :].any()


def assert_stages(bench: Bench, outputs: Records, first: int, weights: EncoderWeights, calq: np.ndarray) -> None:
    found = bench.stages(outputs, first, len(calq))
    image = np.zeros((len(calq), 64), dtype=np.int64)
    image[:, channel_to_pixel()] = found["image_code"]
    found["image_code"] = image.reshape(-1, 8, 8)
    reference = encode(weights, calq)
    comparison = compare_stages(weights.spec, calq, reference, found)
    assert comparison.equal, comparison.first


@pytest.mark.parametrize("name", AE_SETS)
def test_published_vectors(bench: Bench, shared_data: Path, name: str) -> None:
    folder = shared_data / "econt_vectors" / "mcDataset"
    expected = ETX.read_all(folder / name / "testOutput.csv")
    registers = with_links_of(Registers.load(folder / name / "init.yaml"), expected)
    calq = EconT(registers).calq(ERX.read_all(folder / "testInput.csv"))
    writes = [*i2c_writes(registers), *format_writes(registers.ae_mask, registers.n_elinks)]
    setup = bench.writing(writes)
    outputs = run(bench, setup, bench.events(calq, orbit_start=0))
    assert_frames(bench.frames(outputs, len(setup), len(calq)), expected)
    assert_stages(bench, outputs, len(setup), encoder_weights(registers, CHIP), calq)


@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("n_elinks", [1, 2, 3, 4, 5, 13])
def test_random_weights_and_every_link_count(bench: Bench, density: float, n_elinks: int) -> None:
    weights = EncoderWeights.random(CHIP, n_elinks, density)
    calq = charges(300, n_elinks)
    setup = loaded(bench, weights, n_elinks)
    outputs = run(bench, setup, bench.events(calq, orbit_start=0))
    assert_stages(bench, outputs, len(setup), weights, calq)
    assert_frames(bench.frames(outputs, len(setup), len(calq)), expected_frames(weights, calq, n_elinks=n_elinks))


@pytest.mark.parametrize("code", [-32, -1, 0, 31])
def test_extreme_weights(bench: Bench, code: int) -> None:
    weights = EncoderWeights.constant(CHIP, code)
    calq = charges(200, 5)
    setup = loaded(bench, weights)
    outputs = run(bench, setup, bench.events(calq, orbit_start=0))
    assert_stages(bench, outputs, len(setup), weights, calq)


def test_any_mask(bench: Bench) -> None:
    rng = np.random.default_rng(3)
    weights = EncoderWeights.random(CHIP, 1, density=0.3)
    calq = charges(40, 4)
    masks = [0, 1, 1 << 143, (1 << 144) - 1, int("01" * 72, 2), int("10" * 72, 2)]
    masks += [int.from_bytes(rng.bytes(18), "little") for _ in range(30)]
    for number, mask in enumerate(masks):
        n_elinks = number % 5 + 1
        setup = np.concatenate([bench.writing(weight_writes(weights)), bench.writing(format_writes(mask, n_elinks))])
        outputs = run(bench, setup, bench.events(calq, orbit_start=0))
        registers = for_encoder(weights).with_values(
            {f"FMTBUF_ALL.{name}": value for name, value in split_mask(mask).items()}
            | {"FMTBUF_ALL.config.eporttx_numen": n_elinks})
        assert_frames(bench.frames(outputs, len(setup), len(calq)), EconT(registers).run_calq(calq).etx)


def test_latency_and_interval(bench: Bench) -> None:
    """One event among empty clocks: words appear `latency` clocks after it, and nowhere else."""
    fold, latency = bench.top.fold, bench.top.latency
    assert (encoder.LATENCY, formatter.LATENCY, LATENCY) == (2, 2, 4)
    after_slices = 13 + 3 if bench.top.pipelined else 5 + 2
    assert (bench.top.interval, latency) == ((1, 2 + 2) if fold == 1 else (fold, fold + after_slices))
    weights = EncoderWeights.random(CHIP, 9, density=0.3)
    setup, event = loaded(bench, weights), charges(1, 7)
    outputs = run(bench, setup, bench.simulation.idle(6), bench.events(event, orbit_start=0),
                  bench.simulation.idle(latency))
    taken = len(setup) + 6
    np.testing.assert_array_equal(np.flatnonzero(outputs["etx_valid"]), [taken + latency])
    assert_frames(bench.frames(outputs, taken, 1), expected_frames(weights, event))
    assert not np.delete(bench.etx(outputs), taken + latency, axis=0).any()
    # Ready at all times but in the rest of the event's interval.
    np.testing.assert_array_equal(np.flatnonzero(1 - outputs["ready"][:, 0]), taken + np.arange(1, fold))


def test_events_are_taken_when_ready_and_only_then(bench: Bench) -> None:
    """Charges of every clock are valid; after a time of single events with all gaps from the interval up."""
    rng = np.random.default_rng(6)
    interval, weights = bench.top.interval, EncoderWeights.random(CHIP, 10, density=0.3)
    setup, n = loaded(bench, weights), 30
    taken = np.cumsum(interval + np.arange(n) % (2 * interval + bench.top.latency))
    taken = np.concatenate([taken, taken[-1] + interval * np.arange(1, n + 1)])
    calq = charges(taken[-1] + interval, 12)
    clocks = bench.simulation.idle(len(calq))
    clocks["calq"] = pack(calq, CALQ_BITS, clocks["calq"].shape[1])
    clocks["valid"][taken] = 1
    clocks["valid"][taken[n] :] = 1
    # What is offered without `ready` is not seen, a start of an orbit neither.
    clocks["orbit_start"] = rng.random((len(calq), 1)) < 0.5
    clocks["orbit_start"][taken] = 0
    clocks["orbit_start"][taken[0]] = 1
    outputs = run(bench, setup, clocks)
    words = len(setup) + taken + bench.top.latency
    np.testing.assert_array_equal(np.flatnonzero(outputs["etx_valid"]), words)
    assert_frames(bench.etx(outputs)[words], expected_frames(weights, calq[taken]))


def test_orbits_with_new_weights_between_them(bench: Bench) -> None:
    """The counter wraps by itself after 3564 events, and an orbit signal in the middle of an orbit starts a new one."""
    first, second = (EncoderWeights.random(CHIP, seed, density=0.3) for seed in (11, 12))
    calq = charges(3600, 8)
    begin, events = loaded(bench, first), bench.events(calq, orbit_start=0)
    between = bench.writing(weight_writes(second))
    outputs = run(bench, begin, events, bench.simulation.idle(bench.top.latency), between,
                  bench.events(calq[:50], orbit_start=20))
    assert_frames(bench.frames(outputs, len(begin), len(calq)), expected_frames(first, calq))
    later = len(begin) + len(events) + bench.top.latency + len(between)
    assert_frames(bench.frames(outputs, later, 20), expected_frames(second, calq[:20], first_bx=len(calq)))
    assert_frames(bench.frames(outputs, later + 20 * bench.top.interval, 30), expected_frames(second, calq[20:50]))


@pytest.mark.parametrize("into_interval", [0, 1, 7, 15])
def test_reset_in_the_middle_empties_the_pipeline_and_keeps_the_registers(bench: Bench, into_interval: int) -> None:
    weights = EncoderWeights.random(CHIP, 13, density=0.3)
    calq = charges(40, 9)
    setup, before, reset = loaded(bench, weights), bench.events(calq), bench.simulation.idle(1)
    before = before[: len(before) - into_interval % bench.top.interval]
    reset["rst"] = 1
    outputs = run(bench, setup, before, reset, bench.events(calq))
    start = len(setup) + len(before) + 1
    # Frames that had not left when the reset came are lost.
    np.testing.assert_array_equal(outputs["etx_valid"][start : start + bench.top.latency], 0)
    assert not bench.etx(outputs)[start : start + bench.top.latency].any()
    assert_frames(bench.frames(outputs, start, len(calq)), expected_frames(weights, calq))


def test_registers_after_clear_are_those_of_a_chip_after_reset(bench: Bench) -> None:
    clear = bench.simulation.idle(1)
    clear["registers_clear"] = 1
    calq = charges(20, 10)
    setup = loaded(bench, EncoderWeights.random(CHIP, 1))
    outputs = run(bench, setup, clear, bench.events(calq, orbit_start=0))
    start = len(setup) + 1
    registers = Registers.reset().with_values({"MFC_ALGORITHM_SEL_DENSITY.algo.select": 4,
                                               "FMTBUF_ALL.config.eporttx_numen": 2})
    assert_frames(bench.frames(outputs, start, len(calq)), EconT(registers).run_calq(calq).etx)


@pytest.mark.parametrize(("base", "filters", "stride", "fold", "pipelined"), [
    (CHIP, 2, 3, 3, False), (CHIP, 2, 3, 3, True), (CHIP, 4, 3, 18, True),
    pytest.param(CHIP, 4, 3, 36, False, marks=pytest.mark.slow),
    *(pytest.param(QKERAS, 2, *sizes, marks=pytest.mark.slow) for sizes in ((3, 9, False), (2, 8, False))),
    *(pytest.param(QKERAS, 2, *sizes, marks=pytest.mark.slow) for sizes in ((3, 9, True), (2, 2, True)))])
def test_folds_of_other_geometries(
    base: EncoderSpec, filters: int, stride: int, fold: int, pipelined: bool, tmp_path: Path
) -> None:
    """Few filters and outputs; 9 pixels in 3 and 9 slices, their filters in 2 and 4 groups, and exact products."""
    spec = base.evolve(conv={"filters": filters, "stride": stride}, dense={"outputs": 3})
    top = AutoencoderChip(spec, fold=fold, pipelined=pipelined)
    bench = Bench(top, build(top, tmp_path))
    assert (top.interval, top.latency) == (fold, fold + (16 if pipelined else 7))
    calq = charges(200, 14)
    for seed in range(5):
        weights = EncoderWeights.random(spec, seed)
        setup = bench.writing(weight_writes(weights))
        outputs = run(bench, setup, bench.events(calq, orbit_start=0))
        assert_stages(bench, outputs, len(setup), weights, calq)


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("fold", [3, 48, 256])
def test_a_fold_that_leaves_pixels_or_filters_over_is_refused(fold: int, pipelined: bool) -> None:
    with pytest.raises(InputError, match=rf"rtl\.fold {fold} does not split the 16 pixels of the convolution, or the 8 "
                                         r"filters of each, evenly, expected one of 1, 2, 4, 8, 16, 32, 64, 128$"):
        AutoencoderChip(CHIP, fold=fold, pipelined=pipelined)


def test_a_pipelined_encoder_without_slices_is_refused() -> None:
    with pytest.raises(InputError, match="a pipelined encoder works on slices: choose a fold of at least 2"):
        AutoencoderChip(CHIP, pipelined=True)
