"""The C++ that hls4ml and the project's top level make, against the emulator: every stage, every configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bitexact_tests.comparison import compare_stages
from bitexact_tests.conftest import CONFIGS, REPOSITORY
from bitexact_tests.matrix import FAMILIES, charges
from emulator import STAGES, encode
from hls.backends import BACKENDS
from hls.cache import compiled
from hls.csim import run_csim
from models.calq_stream import ROWS
from models.config import Config
from models.weights import EncoderWeights

ALL = [(path.stem, backend) for path in CONFIGS for backend in BACKENDS]

LOADED = {path.stem: Config.load(path) for path in CONFIGS}

CALQ = charges()


@pytest.fixture(scope="module")
def projects(gxx: str) -> None:
    """Every configuration and backend compiled, several at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda key: compiled(LOADED[key[0]], key[1]), ALL))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("name", "backend"), ALL)
def test_hls_equals_emulator(projects: None, name: str, backend: str, family: str) -> None:
    config = LOADED[name]
    weights = FAMILIES[family](config.encoder)
    result = compare_stages(
        config.encoder, CALQ, encode(weights, CALQ), run_csim(config, weights, CALQ, backend)
    )
    assert result.equal, str(result.first)
    assert tuple(row.stage for row in result.stages) == STAGES


def test_parts_join_without_a_seam(projects: None) -> None:
    config, calq = LOADED["econ_t_5elink"], CALQ[:200]
    weights = EncoderWeights.random(config.encoder, 1)
    whole, parts = (run_csim(config, weights, calq, "vitis", events_per_run=n) for n in (8192, 64))
    for stage in whole:
        np.testing.assert_array_equal(parts[stage], whole[stage], err_msg=stage)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_program_writes_its_result_and_nothing_else(
    projects: None, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The types of Vitis warn in words, for each event, where they find widths that differ: a quarter of its time."""
    said: list[str] = []
    start = subprocess.run

    def recorded(command: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        result = start(command, **options)
        if Path(command[0]).name == "csim":
            said.extend([result.stdout, result.stderr])
        return result

    monkeypatch.setattr("hls.csim.subprocess.run", recorded)
    config = LOADED["econ_t_5elink"]
    weights = EncoderWeights.random(config.encoder, 1)
    run_csim(config, weights, CALQ[:50], backend)
    run_csim(config, weights, CALQ[:50], backend, keep=["latent_code"])
    assert said == [""] * 4


@pytest.mark.parametrize("backend", BACKENDS)
def test_events_do_not_depend_on_their_neighbours(projects: None, backend: str) -> None:
    config = LOADED["econ_t_5elink"]
    weights = EncoderWeights.random(config.encoder, 3)
    run = partial(run_csim, config, weights, backend=backend)
    order = np.random.default_rng(1).permutation(len(CALQ))
    np.testing.assert_array_equal(run(CALQ)["latent_code"][order], run(CALQ[order])["latent_code"])
    np.testing.assert_array_equal(run(CALQ, keep=["latent_code"])["latent_code"], run(CALQ)["latent_code"])
    assert run(CALQ[:0])["latent_code"].shape == (0, 16)


def test_two_command_lines_write_the_same_file(projects: None, tmp_path: Path) -> None:
    from models.calq_io import write_calq

    config = LOADED["econ_t_3elink"]
    EncoderWeights.random(config.encoder, 9).save(tmp_path / "weights.npz")
    write_calq(tmp_path / "calq.csv", CALQ)
    common = ["--config", "configs/econ_t_3elink.yaml", "--weights", str(tmp_path / "weights.npz"),
              "--input", str(tmp_path / "calq.csv")]
    for module, command, extra in (("emulator", "encode", []), ("hls", "csim", ["--backend", "catapult"])):
        files = ["--output", str(tmp_path / f"{module}.csv"), "--trace", str(tmp_path / f"{module}.npz")]
        result = subprocess.run([sys.executable, "-m", module, command, *common, *extra, *files],
                                cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "emulator.csv").read_bytes() == (tmp_path / "hls.csv").read_bytes()
    with np.load(tmp_path / "emulator.npz") as first, np.load(tmp_path / "hls.npz") as second:
        for stage in ("image_code", "hidden_code", "output_code", "digest"):
            np.testing.assert_array_equal(first[stage], second[stage])


def test_files_longer_than_what_is_held_in_memory(gxx: str, tmp_path: Path) -> None:
    """Both commands go on where a piece ends: the latents are those of the same events at once."""
    from models.calq_io import write_calq

    weights = EncoderWeights.random(LOADED["econ_t_3elink"].encoder, 9)
    weights.save(tmp_path / "weights.npz")
    calq = np.resize(CALQ, (ROWS + 1000, 48))
    write_calq(tmp_path / "calq.parquet", calq)
    expected = encode(weights, calq, keep=["latent_code"])["latent_code"]
    common = ["--config", "configs/econ_t_3elink.yaml", "--weights", str(tmp_path / "weights.npz"),
              "--input", str(tmp_path / "calq.parquet")]
    for module, command, extra in (("emulator", "encode", []), ("hls", "csim", ["--backend", "catapult"])):
        output = tmp_path / f"{module}.parquet"
        result = subprocess.run([sys.executable, "-m", module, command, *common, *extra, "--output", str(output)],
                                cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        np.testing.assert_array_equal(pd.read_parquet(output).to_numpy(), expected)


def test_a_saturating_normaliser_saturates(gxx: str) -> None:
    config = LOADED["econ_t_5elink"].evolve(encoder={"input": "U1.7 floor saturate"})
    weights = EncoderWeights.random(config.encoder, 4)
    reference = encode(weights, CALQ)
    wrapping = encode(EncoderWeights.random(LOADED["econ_t_5elink"].encoder, 4), CALQ)
    assert (reference["image_code"] != wrapping["image_code"]).any(), "the charges must exercise the difference"
    for backend in BACKENDS:
        result = compare_stages(config.encoder, CALQ, reference, run_csim(config, weights, CALQ, backend))
        assert result.equal, str(result.first)
