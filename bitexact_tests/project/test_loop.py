"""The whole loop on a small run, through the command lines: train, convert, csim, compare, evaluate, report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.__main__ import app
from bitexact_tests.commands import compare
from bitexact_tests.conftest import REPOSITORY

CONFIG = "configs/econ_t_3elink.yaml"


def command(*arguments: str) -> str:
    result = subprocess.run([sys.executable, "-m", *arguments], cwd=REPOSITORY, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training of seconds."""
    folder = tmp_path_factory.mktemp("loop")
    command("training", "train", "--config", CONFIG, "--output", str(folder), "--n-modules", "400", "--epochs", "2",
            "--set", "data.source=toy")
    return folder


def options(run: Path) -> list[str]:
    return ["--config", CONFIG, "--weights", str(run / "weights.npz"), "--input", str(run / "test.csv")]


def test_whole_loop(run: Path, gxx: str) -> None:
    project, latent = run / "hls_catapult", run / "latent.csv"
    command("hls", "convert", *options(run)[:4], "--output", str(project), "--backend", "catapult")
    command("hls", "csim", *options(run), "--output", str(latent), "--backend", "catapult")
    command("emulator", "encode", *options(run), "--output", str(run / "emulated.csv"))
    assert latent.read_bytes() == (run / "emulated.csv").read_bytes()
    shown = command("bitexact_tests", "compare", *options(run), "--backend", "catapult",
                    "--output", str(run / "compare.json"))
    assert "all bits equal" in shown
    comparison = json.loads((run / "compare.json").read_text())
    assert comparison["backends"]["catapult"]["equal"] and comparison["n_events"] == 100
    command("training", "evaluate", *options(run), "--decoder", str(run), "--json", str(run / "metrics.json"))
    command("training", "report", "--config", CONFIG, "--run", str(run))
    page = (run / "report.html").read_text()
    assert "8 stages equal in every bit, 100 events" in page and "not run: catapult not found" in page


def test_one_wrong_bit_fails_the_command(run: Path, gxx: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = compare.run_csim

    def wrong(*arguments: Any, **keywords: Any) -> dict[str, np.ndarray]:
        stages = {name: codes.copy() for name, codes in right(*arguments, **keywords).items()}
        stages["hidden_code"][7, 3] ^= 1
        return stages

    monkeypatch.setattr(compare, "run_csim", wrong)
    monkeypatch.chdir(REPOSITORY)
    table = run / "wrong.json"
    result = CliRunner().invoke(app, ["compare", *options(run), "--backend", "catapult", "--output", str(table)])
    assert result.exit_code == 1
    assert "first mismatch: stage hidden_code, event 7, index [3]" in " ".join(result.output.split())
    assert not json.loads(table.read_text())["backends"]["catapult"]["equal"]
