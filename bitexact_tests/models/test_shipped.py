"""Names of shipped sets: where they are taken, what wins over them, and that nothing writes into them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from models import shipped
from models.config import Config
from models.configured import find_config, load_configured
from models.errors import InputError
from models.register_weights import load_weights
from models.weights import EncoderWeights
from training.fit.run import SHIPPED_RESULTS, Run, locked

CONFIG = Config.load("econ_t_4elink")
WEIGHTS = EncoderWeights.random(CONFIG.encoder, 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One shipped set, `mine`, and an empty folder to work in."""
    trained = tmp_path / "trained"
    (trained / "mine").mkdir(parents=True)
    WEIGHTS.save(trained / "mine" / "weights.npz")
    CONFIG.save(trained / "mine" / "config.yaml")
    (trained / "mine" / "card.json").write_text("{}")
    (trained / "half").mkdir()
    (trained / ".mine-1234").mkdir()
    (trained / ".mine-1234" / "card.json").write_text("{}")
    monkeypatch.setattr(shipped, "FOLDER", trained)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return trained


def test_names_are_those_of_whole_sets(folder: Path) -> None:
    assert shipped.names() == ("mine",)


def test_weights_by_name(folder: Path) -> None:
    np.testing.assert_array_equal(load_weights("mine").flat, WEIGHTS.flat)
    config, weights = load_configured(Path("mine"))
    assert config == CONFIG == find_config(Path("mine"))
    np.testing.assert_array_equal(weights.flat, WEIGHTS.flat)


def test_a_folder_of_the_same_name_wins_and_it_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = EncoderWeights.random(CONFIG.encoder, 2)
    Path("mine").mkdir()
    other.save("mine/weights.npz")
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(load_weights("mine").flat, other.flat)
        assert Run("mine").folder == Path("mine") and not Run("mine").is_shipped
    assert caplog.messages[0] == "mine: taking what is in this folder, not the shipped set of the same name"


@pytest.mark.parametrize("path", ["mine/decoder.npz", "runs/mine", "runs/mine/weights.npz", "mine.npz", "half",
                                  "half/weights.npz"])
def test_only_a_bare_name_and_a_file_of_a_set_are_looked_up(path: str, folder: Path) -> None:
    assert shipped.find(path) == Path(path)


def test_a_file_of_a_set_by_name(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert shipped.find("mine/weights.npz") == folder / "mine" / "weights.npz"
    Path("mine").mkdir()
    with caplog.at_level(logging.WARNING):
        assert shipped.find("mine/weights.npz") == Path("mine/weights.npz"), "never one file of each"
    assert caplog.messages == ["mine: taking what is in this folder, not the shipped set of the same name"]


def test_an_unknown_name_is_one_line(folder: Path) -> None:
    with pytest.raises(InputError, match=r"^mne: no such file and no shipped set of this name; expected a file, the "
                                         r"folder of a run or one of mine; did you mean 'mine'\?$"):
        load_weights("mne")


def test_a_run_by_name_reads_the_set_and_writes_beside_the_runs(folder: Path) -> None:
    run = Run("mine")
    assert run.is_shipped and run.name == "mine (shipped)" and run.folder == folder / "mine"
    np.testing.assert_array_equal(run.weights.flat, WEIGHTS.flat)
    written = {run.metrics_file, run.report_file, run.upsets_file, run.comparison_file, run.graphs_folder,
               run.modules_folder, run.pareto_folder}
    assert {path.parent for path in written} == {SHIPPED_RESULTS / "mine"}
    assert repr(run) == "<Run mine (shipped): 4 links, chip arithmetic>"
    with pytest.raises(InputError, match=r"^mine \(shipped\) comes without modules; name a file with --input$"):
        _ = run.test


def test_a_new_run_is_never_a_shipped_set(folder: Path) -> None:
    assert Run("mine", new=True).folder == Path("mine")
    with pytest.raises(InputError, match="a shipped set, which only 'econ-t weights' changes"), locked(folder / "mine"):
        pass
    assert {path.name for path in (folder / "mine").iterdir()} == {"weights.npz", "config.yaml", "card.json"}


def test_the_sets_of_the_project_are_whole() -> None:
    for name in shipped.names():
        files = {path.name: path.stat().st_size for path in (shipped.FOLDER / name).iterdir()}
        assert files.keys() >= {"weights.npz", "decoder.npz", "config.yaml", "card.json"}
        assert files["decoder.npz"] <= 6_000_000
        run = Run(shipped.FOLDER / name)
        assert run.config.name == run.card.name == name
        assert (run.card.weights, run.card.spec) == (run.weights.digest(), run.config.encoder.digest())
