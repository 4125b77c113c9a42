"""The RTL as an implementation of `econ-t check`: its stages against the emulator's, through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from bitexact_tests.__main__ import app
from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.charges import charges
from emulator import encode
from models.bit_comparison import BitComparison
from models.calq_io import write_calq
from models.config import Config
from models.weights import EncoderWeights
from rtl.simulation import events

pytestmark = pytest.mark.usefixtures("_yosys")


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Options of a check of an encoder with two filters and three outputs."""
    content = yaml.safe_load((REPOSITORY / "configs" / "econ_t_5elink.yaml").read_text(encoding="utf-8"))
    content["encoder"]["conv"]["filters"], content["encoder"]["dense"]["outputs"] = 2, 3
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    spec = Config.load(tmp_path / "small.yaml").encoder
    EncoderWeights.random(spec, 1).save(tmp_path / "weights.npz")
    write_calq(tmp_path / "calq.csv", charges(40, 3), "image")
    return ["compare", "--config", str(tmp_path / "small.yaml"), "--weights", str(tmp_path / "weights.npz"), "--input",
            str(tmp_path / "calq.csv"), "--order", "image", "--backend", "rtl", "--json", str(tmp_path / "rtl.json")]


@pytest.mark.slow
def test_every_stage_of_the_verilog_is_compared(small: list[str]) -> None:
    done = CliRunner().invoke(app, [*small, "--fold", "16"])
    assert done.exit_code == 0 and "all bits equal" in done.output, done.output
    found = BitComparison.load(small[-1])
    assert [row.stage for row in found.backends["rtl"].stages] == [
        "image_code", "hidden_code", "output_code", "latent_code"]
    assert found.n_events == 40 and found.backends["rtl"].equal


def test_one_wrong_bit_of_the_verilog_fails_the_command(small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(top: object, weights: EncoderWeights, calq: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
        stages = {"hidden_code": encode(weights, calq)["hidden_code"].copy()}
        stages["hidden_code"][7, 3] ^= 1
        return stages

    monkeypatch.setattr(events, "simulate_events", wrong)
    done = CliRunner().invoke(app, small)
    assert done.exit_code == 1
    assert "first mismatch: stage hidden_code, event 7, index [3]" in " ".join(done.output.split())
    assert not BitComparison.load(small[-1]).backends["rtl"].equal
