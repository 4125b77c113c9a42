"""The matrix of configurations, weights and implementations in small, and what its table and exit code say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests import matrix
from bitexact_tests.__main__ import app
from bitexact_tests.conftest import missing
from bitexact_tests.matrix import COLUMNS, FAMILIES, NOT_REACHED, PRODUCTION, charges, reference, run_matrix
from models.config import Config
from models.weights import EncoderWeights


def small(name: str) -> Config:
    """A configuration with two filters and three outputs: it compiles in seconds."""
    return Config.load(name).evolve(encoder={"conv": {"filters": 2}, "dense": {"outputs": 3}})


SLOW = {("econ_t_3elink", "rtl folded"), ("qkeras_4elink", "rtl"), ("qkeras_4elink", "rtl folded")}


@pytest.mark.parametrize(("name", "column"), [
    pytest.param(name, column, marks=[pytest.mark.slow] if (name, column) in SLOW else [])
    for name in ("econ_t_3elink", "qkeras_4elink") for column in COLUMNS if column != PRODUCTION])
def test_all_cells_are_equal(gxx: str, name: str, column: str) -> None:
    families = [family for family in FAMILIES if family != "trained"]  # those are of the chip's size
    table = run_matrix([small(name)], families, [column], 500)
    assert list(table) == [(name, family) for family in families]
    for row in table.values():
        cell = row[column]
        if cell.not_run:
            missing(cell.not_run)
        assert cell.equal and cell.n_equal == len(charges(500)), str(cell)
        assert set(cell.stages) >= {"image_code", "hidden_code", "output_code", "latent_code"}


@pytest.mark.parametrize("n_elinks", [1, 3, 5])
def test_the_production_chip_sends_the_same_frames(n_elinks: int) -> None:
    """Settings and weights by way of its register file; encoders that it does not have have no cell."""
    families, names = ["all 31", "random", "sparse"], [f"econ_t_{n_elinks}elink", f"qkeras_{n_elinks}elink"]
    table = run_matrix([Config.load(name) for name in names], families, [PRODUCTION], 200)
    assert [len(table[names[1], family]) for family in families] == [0, 0, 0]
    for family in families:
        cell = table[names[0], family][PRODUCTION]
        assert cell.equal and set(cell.stages) >= {"image_code", "hidden_code", "output_code", "latent_code", "words"}


def test_the_reference_has_the_frames_of_the_chip() -> None:
    config = Config.load("econ_t_3elink")
    weights = EncoderWeights.random(config.encoder, 1)
    words = reference(config, weights, charges(10))["words"]
    assert words.shape == (len(charges(10)), 5) and words[:, :3].any() and not words[:, 3:].any()
    assert "words" not in reference(Config.load("qkeras_3elink"), EncoderWeights.random(
        Config.load("qkeras_3elink").encoder, 1), charges(10))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Implementations that are the emulator; `rtl` has one wrong bit with the weights of `sparse`."""
    def implementation(column: str, config: Config, calq: np.ndarray) -> Any:
        def run(weights: EncoderWeights) -> Mapping[str, np.ndarray]:
            stages = {name: stage.copy() for name, stage in reference(config, weights, calq).items()}
            if column == "rtl" and (weights.dense_kernel == 0).mean() > 0.5:
                stages["hidden_code"][7, 3] ^= 1
            return stages
        return run
    monkeypatch.setattr(matrix, "_implementation", implementation)


COMMON = ["matrix", "--config", "econ_t_2elink", "--config", "qkeras_5elink", "--events", "20"]


def test_a_mismatch_is_shown_and_fails(broken: None, tmp_path: Path) -> None:
    families = ["--family", "random", "--family", "sparse"]
    result = CliRunner().invoke(app, [*COMMON, *families, "--output", str(tmp_path / "matrix.json")])
    assert result.exit_code == 1
    text = " ".join(result.output.replace("│", " ").split())
    assert "econ_t_2elink, sparse, rtl: first mismatch: stage hidden_code, event 7, index [3]: expected" in text
    assert "16 of 18 cells equal in all bits" in text and "142 of 143" in text and "not reached" not in text
    rows = json.loads((tmp_path / "matrix.json").read_text())
    assert [(row["config"], row["weights"]) for row in rows] == [
        (name, family) for name in ("econ_t_2elink", "qkeras_5elink") for family in ("random", "sparse")]
    assert [row["rtl"]["n_equal"] for row in rows] == [143, 142, 143, 142]
    assert CliRunner().invoke(app, [*COMMON, *families, "--column", "vitis", "--column", "rtl folded"]).exit_code == 0


def test_what_the_time_does_not_reach_is_said(broken: None) -> None:
    result = CliRunner().invoke(app, [*COMMON, "--family", "random", "--seconds", "0"])
    assert result.exit_code == 1, "nothing was compared"
    assert "0 of 9 cells equal in all bits, 9 not reached in the time given" in result.output
    assert result.output.count(NOT_REACHED) == 10


def test_a_missing_tool_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ECON_T_CACHE", str(tmp_path))
    result = CliRunner().invoke(app, [*COMMON, "--family", "zero", "--column", "vitis"])
    assert result.exit_code == 1 and "g++ not found" in " ".join(result.output.split())


@pytest.mark.parametrize(("arguments", "message"), [
    (["--family", "rnadom"], "error: --family rnadom, expected trained, zero, all -32, all 31, random, sparse"),
    (["--column", "verilog"], "error: --column verilog, expected vitis, catapult, rtl, rtl folded, production"),
])
def test_wrong_names_are_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, [*COMMON, *arguments])
    assert result.exit_code == 2 and message in result.stderr
