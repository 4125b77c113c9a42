"""The gates that are counted: simulated one by one against the emulator, and how often they change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY, missing
from bitexact_tests.samples.charges import charges
from bitexact_tests.samples.results import chip_synthesis
from emulator import encode
from models.errors import InputError, ToolMissing
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from rtl.design.chip import AutoencoderChip
from rtl.mapping.synthesis import OSU018, synthesise_chip
from rtl.results import ChipSynthesis
from rtl.simulation.activity import GateBench, measure

CHIP = EncoderSpec.chip(5)
SMALL = CHIP.evolve(conv={"filters": 1}, dense={"outputs": 2})
"""The chip's arithmetic and geometry with fewer filters and outputs: its synthesis takes seconds."""


@dataclass(frozen=True)
class Mapped:
    top: AutoencoderChip
    result: ChipSynthesis
    netlists: Path


@pytest.fixture(scope="module", params=[1, pytest.param(4, marks=pytest.mark.slow), 16], ids="fold{}".format)
def mapped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapped:
    top, folder = AutoencoderChip(SMALL, fold=request.param), tmp_path_factory.mktemp("netlists")
    try:
        return Mapped(top, synthesise_chip(top, "gates", keep=folder), folder)
    except ToolMissing as error:
        missing(str(error))
        raise


def expected(weights: EncoderWeights, calq: np.ndarray) -> np.ndarray:
    """(streams, events, 48) -> output codes (streams, events, outputs)."""
    return encode(weights, calq.reshape(-1, 48))["output_code"].reshape(*calq.shape[:2], -1)


@pytest.mark.parametrize("seed", [0, 9])
def test_mapped_gates_equal_emulator(mapped: Mapped, seed: int) -> None:
    weights = EncoderWeights.random(SMALL, seed)
    calq = charges(64 * 6, seed).reshape(64, 6, 48)
    bench = GateBench(mapped.top, mapped.netlists, weights, n_words=1)
    codes = expected(weights, calq)
    assert all(len(np.unique(codes[..., j])) > 20 for j in range(2)), "weights that leave the outputs at 0 test little"
    np.testing.assert_array_equal(bench.run(calq, 0), codes)


@pytest.mark.slow
def test_standard_cells_with_their_buffers_equal_emulator_and_take_energy(tmp_path: Path) -> None:
    if not OSU018.exists():
        missing("no standard cells: install the Debian package qflow-tech-osu018")
    top, weights = AutoencoderChip(SMALL), EncoderWeights.random(SMALL, 9)
    synthesise_chip(top, "osu018", keep=tmp_path / "netlists")
    calq = charges(64 * 6, 9).reshape(64, 6, 48)
    bench = GateBench(top, tmp_path / "netlists", weights, n_words=1, technology="osu018")
    np.testing.assert_array_equal(bench.run(calq, 0), expected(weights, calq))
    same = np.repeat(charges(1, 4), 256 * 6, axis=0)
    still, busy = (measure(top, tmp_path / "netlists", weights, given, "osu018").energy
                   for given in (same, charges(256 * 6, 4)))
    assert still is not None and busy is not None
    assert still.clock_pins_pj == busy.clock_pins_pj > 0
    # Without changes only the formatter's counter of bunch crossings moves.
    assert sum(still.by_block_pj.values()) < 5 < sum(busy.by_block_pj.values())
    assert busy.by_block_pj.keys() == measure(top, tmp_path / "netlists", weights, same, "osu018").by_block.keys()


def test_changes_of_the_output_registers_are_those_of_the_emulator(mapped: Mapped) -> None:
    """Counted from event 8 on: the bits in which each output differs from the one before."""
    weights = EncoderWeights.random(SMALL, 9)
    n_events, n_filling = 14, 8
    calq = charges(64 * n_events, 3).reshape(64, n_events, 48)
    bench = GateBench(mapped.top, mapped.netlists, weights, n_words=1)
    bench.run(calq, n_filling)
    codes = expected(weights, calq)
    interval, edge = mapped.top.interval, mapped.top.observed["output_code"][0] - 1
    counted = [e for e in range(1, n_events) if n_filling * interval <= e * interval + edge < n_events * interval]
    changed = np.bitwise_count(codes[:, counted] ^ codes[:, np.array(counted) - 1]).sum()
    assert changed > 0
    assert bench.counted[bench.netlist.ports["output_code"]].sum() == changed


def test_equal_events_change_nothing_in_the_parallel_encoder_and_slices_change_the_folded_one(mapped: Mapped) -> None:
    weights = EncoderWeights.random(SMALL, 4)
    same = np.repeat(charges(1, 4), 256 * 10, axis=0)
    still = measure(mapped.top, mapped.netlists, weights, same)
    busy = measure(mapped.top, mapped.netlists, weights, charges(256 * 10, 4))
    encoder_blocks = [name for name in still.by_block if name.startswith(("neuron", "partial", "parallel", "folded"))]
    assert (sum(still.by_block[name] for name in encoder_blocks) == 0) == (mapped.top.fold == 1)
    assert still.changes < busy.changes and 0 < busy.flip_flop_changes < busy.changes
    assert busy.clocked_flip_flops == mapped.result.total.ff * mapped.top.interval
    assert busy.changes == pytest.approx(sum(busy.by_block.values()))


def test_summary_names_the_design(mapped: Mapped, tmp_path: Path) -> None:
    mapped.result.save(tmp_path / "rtl_gates.json")
    found = ChipSynthesis.load(tmp_path / "rtl_gates.json")
    assert found == mapped.result
    assert (found.architecture, found.fold) == ("parallel" if mapped.top.fold == 1 else "folded", mapped.top.fold)
    assert (found.interval_clocks, found.latency_clocks) == (mapped.top.interval, mapped.top.latency)
    assert found.register_bits == mapped.top.register_file.n_bits and found.levels > 0


def test_too_few_events_are_refused(mapped: Mapped) -> None:
    with pytest.raises(InputError, match="200 events, expected at least"):
        measure(mapped.top, mapped.netlists, EncoderWeights.random(SMALL, 4), charges(200, 4))


def test_netlists_of_another_design_are_refused(mapped: Mapped, tmp_path: Path) -> None:
    """Only the fold or the copies of registers differ, or the folder does not say what it holds."""
    weights = EncoderWeights.random(SMALL, 4)
    for top, difference in ((AutoencoderChip(SMALL, fold=2), f"fold {mapped.top.fold}|architecture parallel"),
                            (AutoencoderChip(SMALL, redundant=True, fold=mapped.top.fold), "redundant False"),
                            (AutoencoderChip(CHIP, fold=mapped.top.fold), f"digest {SMALL.digest()}, expected")):
        with pytest.raises(InputError, match=difference):
            GateBench(top, mapped.netlists, weights)
    with pytest.raises(FileNotFoundError, match=r"design\.json"):
        GateBench(mapped.top, tmp_path, weights)


def test_a_broken_netlist_is_one_line(mapped: Mapped, tmp_path: Path) -> None:
    shutil.copy(mapped.netlists / "design.json", tmp_path)
    for text in ("{", '{"modules": {}}'):
        (tmp_path / "autoencoder_chip.netlist").write_text(text)
        with pytest.raises(InputError, match=r"autoencoder_chip\.netlist: not readable as a netlist"):
            GateBench(mapped.top, tmp_path, EncoderWeights.random(SMALL, 4))


SUMMARY = chip_synthesis(CHIP, technology="gates")


def _without(key: str) -> str:
    return json.dumps({name: value for name, value in json.loads(SUMMARY.model_dump_json()).items() if name != key})


@pytest.mark.parametrize(("text", "message"), [
    (SUMMARY.model_copy(update={"technology": "xc7"}).model_dump_json(), "technology xc7, expected gates or osu018"),
    (SUMMARY.model_copy(update={"digest": "0123456789abcdef"}).model_dump_json(),
     f"made for another encoder (spec 0123456789abcdef, expected {CHIP.digest()})"),
    (_without("digest"), "key digest is missing"), (_without("fold"), "key fold is missing"),
    ("{", "not readable as JSON"),
])
def test_activity_wants_the_summary_of_these_gates(tmp_path: Path, text: str, message: str) -> None:
    summary = tmp_path / "rtl_gates.json"
    summary.write_text(text)
    EncoderWeights.random(CHIP, 1).save(tmp_path / "weights.npz")
    command = [sys.executable, "-m", "rtl", "activity", "--config", "configs/econ_t_5elink.yaml",
               "--weights", str(tmp_path / "weights.npz"), "--input", "none", "--netlists", str(tmp_path),
               "--summary", str(summary)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and result.stderr.startswith(f"error: {summary}: {message}")
    assert result.stderr.count("\n") == 1
