"""A routed encoder block as an implementation of `econ-t check`: the words of its frames against the emulator's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bitexact_tests.__main__ import app
from bitexact_tests.samples.charges import charges
from bitexact_tests.samples.results import placement
from bitexact_tests.samples.rtl import CHIP
from emulator import EconT
from models.arrays import IntArray
from models.bit_comparison import BitComparison
from models.calq_io import write_calq
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.placing import simulation


class Netlist:
    """A stand-in for the compiled netlist: the frames of the emulator, with the bits of `wrong` turned over."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.wrong: dict[tuple[int, int], int] = {}

    def compiled(self, harness: Block, routed: Path, folder: Path, timeout_seconds: float) -> None:
        self.folder = routed

    def frames(self, chip: AutoencoderChip, compiled: None, weights: EncoderWeights, calq: IntArray, folder: Path,
               timeout_seconds: float) -> IntArray:
        assert chip.describe() == placement(CHIP).design.model_copy(update={"latency_clocks": chip.latency})
        words = EconT(for_encoder(weights)).run_calq(calq).etx.astype(np.int64)[:, :5]
        for place, bits in self.wrong.items():
            words[place] ^= bits
        return words


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    """Weights, charges, and a result whose second seed is the fastest."""
    placement(CHIP, 60.0, 80.0, 70.0).save(tmp_path / "placed.json")
    EncoderWeights.random(CHIP, 1).save(tmp_path / "weights.npz")
    write_calq(tmp_path / "calq.csv", charges(40, 3), "image")


@pytest.fixture
def netlist(monkeypatch: pytest.MonkeyPatch) -> Netlist:
    found = Netlist()
    monkeypatch.setattr(simulation, "_compiled", found.compiled)
    monkeypatch.setattr(simulation, "frames", found.frames)
    return found


def check(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(app, [
        "compare", "--weights", str(folder / "weights.npz"), "--input", str(folder / "calq.csv"), "--order", "image",
        "--placed", str(folder / "placed.json"), "--json", str(folder / "check.json"), *more])


def test_every_word_of_the_fastest_seed_is_compared(netlist: Netlist, tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.exit_code == 0 and "all bits equal" in done.output, done.output
    assert netlist.folder == tmp_path / "placed" / "0" / "seed_2"
    found = BitComparison.load(tmp_path / "check.json")
    assert [(name, [(row.stage, row.n_values) for row in one.stages]) for name, one in found.backends.items()] == [
        ("routed", [("etx", 40 * 13)])]
    check(tmp_path, "--build", "elsewhere")
    assert netlist.folder == Path("elsewhere/0/seed_2")


@pytest.mark.parametrize("word", [0, 4])
def test_one_wrong_bit_fails_the_command(netlist: Netlist, tmp_path: Path, word: int) -> None:
    netlist.wrong[7, word] = 1
    done = check(tmp_path)
    assert done.exit_code == 1
    assert f"first mismatch: stage etx, event 7, index [{word}]" in " ".join(done.output.split())
    assert not BitComparison.load(tmp_path / "check.json").backends["routed"].equal


@pytest.mark.parametrize(("change", "message"), [
    ({"design": None, "name": "RTL, compact_3k"}, "RTL, compact_3k, expected an encoder block"),
    ({"digest": EncoderSpec.chip(2).digest()}, f"expected {CHIP.digest()}, that of the encoder of the weights"),
])
def test_a_result_of_something_else_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    placement(CHIP, 80.0).model_copy(update=change).save(tmp_path / "placed.json")
    done = check(tmp_path)
    assert done.exit_code == 2 and message in " ".join(done.output.split())
    assert not (tmp_path / "check.json").exists()


def test_a_netlist_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.exit_code == 2 and str(tmp_path / "placed/0/seed_2/routed.json") in done.output.replace("\n", "")
