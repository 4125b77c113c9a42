"""The data set that the main job makes by default: out of collisions, once; without Pythia by the simple generator."""

from __future__ import annotations

import logging
import re
import shutil
import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models.calq_io import read_calq
from models.config import DataConfig
from models.errors import InputError
from training.data.modules import load_modules
from training.production import CACHE, default_set, pythia_events
from training.production.calorimeter import Sample
from training.production.modules import COLUMNS
from training.production.toy import generate

pytest.importorskip("tensorflow")


def test_default_set_is_made_once(pythia_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "training")
    sample = Sample(pile_up=20, pool_size=501, seed=3, layers=(9,))
    first = default_set.pythia_modules(3000, 3, 5, pythia_cache, sample, report_seconds=0)
    assert first.calq.shape == (3000, 48) and first.calq.any(axis=1).all()
    assert re.search(r"500 of 501 collisions for pile-up, about \d+ s left", caplog.text)
    assert re.search(r"[0-9,]+ of 3,000 modules, about \d+ s left", caplog.text)
    (file,) = pythia_cache.glob("modules-*.parquet")
    stamp = file.stat().st_mtime_ns
    again = default_set.pythia_modules(3000, 3, 5, pythia_cache, sample)
    assert_array_equal(again.calq, first.calq)
    assert again.extra.equals(first.extra)
    assert file.stat().st_mtime_ns == stamp


def train_small(folder: Path) -> Any:
    """The main job's data, as the configuration has it by default, in a training of one epoch of few modules."""
    from training.__main__ import app

    config = REPOSITORY / "configs" / "econ_t_5elink.yaml"
    settings = ["data.seed=3", "training.augment.pool=200", "training.decoder.width=16"]
    return CliRunner().invoke(app, ["train", "--config", str(config), "--output", str(folder), "--n-modules", "200",
                                    "--epochs", "1", *(word for one in settings for word in ("--set", one))])


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: Any) -> None:
        raise AssertionError(f"connects to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


def test_layers_of_a_configuration(pythia_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, ...]] = []
    monkeypatch.setattr(default_set, "_make", lambda sample, n, cache, path, seconds: made.append(sample.layers))
    for n_elinks, layers in ((4, ()), (4, (13, 9, 9))):
        with pytest.raises(FileNotFoundError):  # nothing was made
            load_modules(DataConfig(layers=layers), n_elinks, pythia_cache)
    assert made == [(7, 11), (9, 13)]
    with pytest.raises(InputError, match=r"data\.layers: 8 is not a trigger layer; expected some of 1, 3, 5"):
        load_modules(DataConfig(layers=(9, 8)), 4, pythia_cache)


def test_main_job_trains_on_collisions(pythia_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       no_network: None, caplog: pytest.LogCaptureFixture) -> None:
    """The first run makes them and says what it costs and where they are kept, the next one finds them there."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(pythia_cache, CACHE, ignore=shutil.ignore_patterns("modules-*"))  # what the test before has made
    caplog.set_level(logging.INFO, "training")
    result = train_small(tmp_path / "run")
    assert result.exit_code == 0, result.output
    (kept,) = CACHE.glob("modules-*.parquet")
    assert re.search(r"Pythia [0-9.]+: generating 200 modules of ttbar with 200 pile-up, layers 9; takes about 10 s",
                     caplog.text)
    assert re.search(rf"10 events in \d+ s; cached in {kept}", caplog.text)
    held_out, modules = read_calq(tmp_path / "run" / "test.csv"), default_set.pythia_modules(200, 3, 5)
    assert tuple(held_out.extra.columns) == COLUMNS and set(held_out.extra.layer) == {9}
    assert len(held_out.calq) == 50 and {*map(bytes, held_out.calq)} < {*map(bytes, modules.calq)}
    caplog.clear()
    before = {path: path.stat().st_mtime_ns for path in CACHE.iterdir()}
    assert train_small(tmp_path / "again").exit_code == 0
    assert "makes" not in caplog.text and before == {path: path.stat().st_mtime_ns for path in CACHE.iterdir()}
    assert (tmp_path / "again" / "test.csv").read_bytes() == (tmp_path / "run" / "test.csv").read_bytes()


def test_without_pythia_the_simple_generator_serves(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
                                                    tmp_path: Path) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(pythia_events, "version", version)
    monkeypatch.chdir(tmp_path)
    result = train_small(tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "need the package pythia8mc: pip install '.[data]'; using the simple generator" in caplog.text
    assert {*map(bytes, read_calq(tmp_path / "run" / "test.csv").calq)} < {*map(bytes, generate(200, 3))}
    assert not CACHE.exists()
