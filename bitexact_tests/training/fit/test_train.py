"""Training as a whole: reproducible, resumable, exact on export, evaluated on the emulator's integers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import small
from models.calq_io import read_calq, write_calq
from models.config import Config
from models.errors import InputError
from models.weights import EncoderWeights
from training.__main__ import app
from training.data.dataset import split_rows
from training.production.toy import generate

pytest.importorskip("tensorflow")

from training.fit.run import Run, locked
from training.fit.train import train
from training.fit.trainer import Trainer

OUTPUTS = {"weights.npz", "decoder.npz", "history.json", "test.csv", "config.yaml", "fingerprint.json",
           "trained_rows.npz"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of `small()`."""
    folder = tmp_path_factory.mktemp("run")
    train(small(), folder)
    return Run(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """All that a run produced, for comparison."""
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def test_outputs(run: Run) -> None:
    assert {path.name for path in run.folder.iterdir()} == OUTPUTS | {".lock"}
    history, summary = run.history, run.summary
    assert len(history.loss) == len(history.val_loss) == len(history.val_emd) == 4
    assert history.val_emd[-1] < history.val_emd[0]
    assert history.val_loss[-1] == pytest.approx(history.val_emd[-1], rel=1e-4), "the last loss is the EMD itself"
    assert history.val_loss[-2] < 0.5 * history.val_emd[-2], "the loss before it is not"
    assert run.config == small()
    calq = generate(400, run.config.data.seed)
    np.testing.assert_array_equal(run.test.calq, calq[split_rows(calq, run.config).test])
    assert (summary.n_train, summary.n_validation, summary.n_test) == (260, 40, 100)
    assert summary.val_emd == min(history.val_emd) == history.val_emd[summary.best_epoch - 1]


def test_same_seed_same_result(run: Run, tmp_path: Path) -> None:
    train(small(), tmp_path)
    assert contents(tmp_path) == contents(run.folder)


def test_other_seed_other_weights_same_held_out_rows(run: Run, tmp_path: Path) -> None:
    train(small(seed=2, epochs=1), tmp_path)
    assert (tmp_path / "test.csv").read_bytes() == run.test_file.read_bytes()
    assert (Run(tmp_path).weights.dense_kernel != run.weights.dense_kernel).any()


KILLED = """
import os, sys
from pathlib import Path
from training.fit.train import train
from bitexact_tests.samples.runs import small
def report(epoch, figures):
    if epoch == 3:
        os.kill(os.getpid(), 9)
train(small(), Path(sys.argv[1]), report=report, checkpoint_seconds=0)
"""


def test_killed_run_continues_to_the_same_result(run: Run, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=REPOSITORY, check=False,
                            env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.npz", ".lock"}, "results of half a run"
    seen: list[int] = []
    train(small(), tmp_path, report=lambda epoch, figures: seen.append(epoch))
    assert seen == [4], "started again instead of continuing"
    assert contents(tmp_path) == contents(run.folder)


def test_start_from_another_link_budget(run: Run, tmp_path: Path) -> None:
    """The first validation is no worse than the last one of the run it began with, with two more bits per latent."""
    config = small("econ_t_4elink", epochs=1, learning_rate=1e-6)
    summary = train(config, tmp_path, start=run.folder)
    assert summary.val_emd == pytest.approx(run.summary.val_emd, rel=0.1)
    np.testing.assert_array_equal(Run(tmp_path).weights.flat, run.weights.flat, "tiny steps keep the codes")
    assert summary.fingerprint != train(config, tmp_path / "anew").fingerprint
    fewer = config.evolve(encoder={"conv": {"filters": 4}})
    with pytest.raises(InputError, match="of other formats or shapes"):
        train(fewer, tmp_path / "other", start=run.folder)
    assert not (tmp_path / "other").exists()


def test_start_from_another_arithmetic_and_back(run: Run, tmp_path: Path) -> None:
    """A decoder that refines holds the encoder: it is that of the start, in the arithmetic of the new run."""
    options = {"epochs": 1, "learning_rate": 1e-9, "decoder": {"width": 8, "refinements": 1, "refinement_width": 8}}
    chip, qkeras = small(**options), small("qkeras_3elink", **options)
    train(chip, tmp_path / "chip", start=run.folder)
    train(qkeras, tmp_path / "qkeras", start=tmp_path / "chip")
    train(chip, tmp_path / "back", start=tmp_path / "qkeras")
    for name in ("chip", "qkeras", "back"):
        one = Run(tmp_path / name)
        np.testing.assert_array_equal(one.weights.flat, run.weights.flat, "tiny steps keep the codes")
        inside = next(layer for layer in one.decoder.layers if layer.name == "encoded_0").trainable_weights
        for variable, codes in zip(inside, one.weights.values().values(), strict=True):
            np.testing.assert_array_equal(variable.numpy(), codes, "the decoder's file holds the codes themselves")
    assert Run(tmp_path / "back").summary.val_emd == pytest.approx(Run(tmp_path / "chip").summary.val_emd, rel=1e-5)


def test_start_with_another_decoder_takes_the_weights_alone(run: Run, tmp_path: Path) -> None:
    config = small(epochs=1, learning_rate=1e-9, decoder={"width": 24})
    train(config, tmp_path, start=run.folder)
    np.testing.assert_array_equal(Run(tmp_path).weights.flat, run.weights.flat)


def test_finished_run_is_not_repeated(run: Run) -> None:
    seen: list[int] = []
    before = {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    summary = train(small(), run.folder, report=lambda epoch, figures: seen.append(epoch))
    assert not seen and summary == run.summary
    assert before == {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()}


def test_summary_of_a_finished_run_is_checked(run: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(run.folder, tmp_path / "run")
    summary = json.loads(run.summary_file.read_text()) | {"val_emd": "x"}
    (folder / "fingerprint.json").write_text(json.dumps(summary))
    with pytest.raises(InputError, match=r"fingerprint\.json: val_emd: Input should be a valid number"):
        train(small(), folder)


def test_a_folder_in_which_another_training_is_at_work_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match=f"^{tmp_path}: locked by another process"):
        train(small(epochs=1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_training_that_diverges_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"epoch 1: loss .* not finite; lower training.learning_rate, now 1e\+30"):
        train(small(epochs=2, learning_rate=1e30), tmp_path)


@pytest.mark.parametrize(("columns", "message"), [
    (["layer", "layer"], "column layer is given twice"),
    (["tag"], "column tag: not readable as numbers or texts of one type"),
    (["cells"], "column cells: not readable as numbers or texts of one type"),
    (["a,b"], "column 'a,b', expected a name without comma"),
])
def test_columns_that_cannot_be_written_are_found_before_training(
    columns: list[str], message: str, tmp_path: Path
) -> None:
    """`tag` is a number in one file and a text in the other; `cells` is a list."""
    for part, tag in enumerate((1, "x")):
        values: dict[str, list[Any]] = {"layer": [7] * 100, "tag": [tag] * 100, "cells": [[1, 2]] * 100,
                                        "a,b": [1] * 100}
        arrays = [*map(pa.array, generate(100, part).T), *(pa.array(values[name]) for name in columns)]
        names = [f"CALQ_{i}" for i in range(48)] + columns
        pa_parquet.write_table(pa.table(arrays, names), tmp_path / f"{part}.parquet")
    with pytest.raises(InputError, match=message):
        train(small(epochs=1).override(data={"files": sorted(str(path) for path in tmp_path.iterdir())}),
              tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_nothing_older_is_removed_before_the_held_out_rows_are_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    folder = shutil.copytree(run.folder, tmp_path / "run")
    monkeypatch.setattr("training.fit.stage.write_calq", full)
    with pytest.raises(OSError, match="No space left"):
        train(small(epochs=1), folder, retrain=True)
    assert contents(folder) == contents(run.folder)


def test_other_data_or_options_replace_a_run_only_on_request(run: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(run.folder, tmp_path / "run")
    for config in (small(learning_rate=1e-3), small().override(data={"n_modules": 300})):
        held = r"run: holds a finished run, with other options or data; choose another --output"
        with pytest.raises(InputError, match=held + "$"):
            train(config, folder)
        with pytest.raises(InputError, match=held + ", or give --retrain to replace it$"):
            train(config, folder, has_retrain=True)
        assert contents(folder) == contents(run.folder)
    for config in (small(epochs=1), small(epochs=1), small(epochs=1).override(data={"n_modules": 300})):
        seen: list[int] = []
        train(config, folder, True, report=lambda epoch, figures, seen=seen: seen.append(epoch))
        assert seen == [1]


def test_an_interrupted_training_is_replaced_only_on_request(tmp_path: Path) -> None:
    def stop(epoch: int, figures: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path, report=stop, checkpoint_seconds=0)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(InputError, match="holds an interrupted training"):
        train(small(epochs=1), tmp_path)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
    train(small(epochs=1), tmp_path, retrain=True)
    assert contents(tmp_path)


def test_weights_of_nobody_knows_what_are_replaced_only_on_request(run: Run, tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(run.weights_file.read_bytes())
    with pytest.raises(InputError, match="holds weights that are not known to be of this run"):
        train(small(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_results_that_are_cut_short_are_written_by_the_next_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short the training was: what it left is known to be its own."""
    def killed(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("training.fit.stage.save_decoder", killed)
        with pytest.raises(KeyboardInterrupt):
            train(small(), tmp_path, checkpoint_seconds=1000)
    assert (tmp_path / "weights.npz").exists() and not (tmp_path / "fingerprint.json").exists()
    train(small(), tmp_path)
    assert contents(tmp_path) == contents(run.folder) and not (tmp_path / "checkpoint.npz").exists()


def test_broken_weights_are_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def restore(self: Trainer) -> None:
        self.encoder.values["dense_bias"].assign(np.full(16, np.nan, np.float32))

    monkeypatch.setattr(Trainer, "restore_best", restore)
    with pytest.raises(InputError, match=r"dense_bias\[0\] = nan"):
        train(small(epochs=1), tmp_path)
    assert not OUTPUTS & {path.name for path in tmp_path.iterdir()}


def test_data_without_charge_is_refused(tmp_path: Path) -> None:
    write_calq(tmp_path / "empty.csv", np.zeros((50, 48), np.uint32))
    with pytest.raises(InputError, match="leave none for train"):
        train(small().override(data={"files": [str(tmp_path / "empty.csv")]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def command(*arguments: str | Path) -> Any:
    """Run a command in this process: TensorFlow is there already."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_commands(tmp_path: Path) -> None:
    """Files in, run out, figures on the held-out rows; nothing on the terminal that is not ours."""
    calq = generate(200, seed=4)
    write_calq(tmp_path / "calq.csv", calq, "image")
    folder, config = tmp_path / "run", "configs/econ_t_2elink.yaml"
    options = ["--config", config, "--data", tmp_path / "calq.csv", "--order", "image", "--output", folder,
               "--epochs", "1", "--loss", "kernel"]
    trained = subprocess.run([sys.executable, "-m", "training", "train", *options], cwd=REPOSITORY, text=True,
                             capture_output=True, check=False)
    assert trained.returncode == 0, trained.stderr
    assert all(line.startswith("econ_t_2elink") for line in trained.stderr.splitlines() if line), trained.stderr
    assert trained.stdout.startswith("econ_t_2elink: 1 epoch on ") and trained.stdout.count("\n") == 1
    held_out = read_calq(folder / "test.csv", "image")
    assert len(held_out.calq) == 50
    evaluated = command("evaluate", "--config", config, "--weights", folder / "weights.npz", "--decoder", folder,
                        "--input", folder / "test.csv", "--order", "image", "--json", tmp_path / "metrics.json")
    assert evaluated.exit_code == 0, evaluated.stderr
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["n_modules"] == 50 and 0 < figures["emd_mean"] < 10
    assert figures["weights"] == EncoderWeights.load(folder / "weights.npz", Config.load(config).encoder).digest()


@pytest.mark.parametrize(("options", "match"), [
    (["--loss", "emdd"], "training.loss: expected telescope"),
    (["--data", "none.csv"], "none.csv"),
    (["--order", "rows"], "data.order"),
    (["--set", "training.passes"], "expected section.key=value"),
    (["--set", "training.pases=2"], "unknown key 'training.pases'; did you mean 'passes'?"),
    (["--set", "trainin.passes=2"], "expected section.key=value"),
    (["--set", "training.decoder.width=no"], "training.decoder.width"),
])
def test_bad_options_are_one_line(options: list[str], match: str, tmp_path: Path) -> None:
    result = command("train", "--config", "configs/econ_t_2elink.yaml", "--output", tmp_path / "run", *options)
    assert result.exit_code == 2 and match in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr
    assert not (tmp_path / "run").exists()
