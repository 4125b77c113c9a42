"""Training as a whole: reproducible, resumable, exact on export, evaluated on the emulator's integers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import dataset_of, small
from emulator import encode
from models.calq_io import read_calq, write_calq
from models.config import Config
from models.errors import InputError
from models.trigger_cells import N_TRIGGER_CELLS, to_image_order, to_trigger_cells
from models.weights import EncoderWeights
from training.__main__ import app
from training.data.dataset import Dataset, split_rows
from training.physics.evaluation import evaluate, metrics
from training.production.toy import generate
from training.results.run import History, RunSummary

pytest.importorskip("tensorflow")

from training.fit.checkpoint import Checkpoint
from training.fit.run import Run, locked
from training.fit.train import train
from training.fit.trainer import Trainer
from training.networks.decoder import build_decoder, context, decode, load_decoder, save_decoder

OUTPUTS = {"weights.npz", "decoder.npz", "history.json", "test.csv", "config.yaml", "fingerprint.json"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of `small()`."""
    folder = tmp_path_factory.mktemp("run")
    train(small(), folder)
    return folder


def contents(folder: Path) -> dict[str, Any]:
    """All that a run produced, for comparison; zip files hold the time they were written, so their arrays are taken."""
    decoder = Run(folder).decoder
    return {
        "decoder": [weight.tobytes() for weight in decoder.get_weights()],
        **{name: (folder / name).read_bytes() for name in OUTPUTS - {"decoder.npz", "weights.npz"}},
        **{name: code.tobytes() for name, code in
           EncoderWeights.load(folder / "weights.npz", small().encoder).arrays.items()},
    }


def test_outputs(run: Path) -> None:
    config = small()
    assert {path.name for path in run.iterdir()} == OUTPUTS | {".lock"}
    history = History.load(run / "history.json")
    assert len(history.loss) == len(history.val_loss) == len(history.val_emd) == 4
    assert history.val_emd[-1] < history.val_emd[0]
    assert history.val_loss[-1] == pytest.approx(history.val_emd[-1], rel=1e-4), "the last loss is the EMD itself"
    assert history.val_loss[-2] < 0.5 * history.val_emd[-2], "the loss before it is not"
    assert Config.load(run / "config.yaml") == config
    calq = generate(400, config.data.seed)
    np.testing.assert_array_equal(read_calq(run / "test.csv").calq, calq[split_rows(calq, config).test])
    summary = RunSummary.load(run / "fingerprint.json")
    assert (summary.n_train, summary.n_validation, summary.n_test) == (260, 40, 100)
    assert summary.val_emd == min(history.val_emd) == history.val_emd[summary.best_epoch - 1]


def test_same_seed_same_result(run: Path, tmp_path: Path) -> None:
    train(small(), tmp_path)
    assert contents(tmp_path) == contents(run)


def test_other_seed_other_weights_same_held_out_rows(run: Path, tmp_path: Path) -> None:
    train(small(seed=2, epochs=1), tmp_path)
    assert (tmp_path / "test.csv").read_bytes() == (run / "test.csv").read_bytes()
    assert contents(tmp_path)["dense_kernel"] != contents(run)["dense_kernel"]


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


def test_killed_run_continues_to_the_same_result(run: Path, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=REPOSITORY, check=False,
                            env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.npz", ".lock"}, "results of half a run"
    seen: list[int] = []
    train(small(), tmp_path, report=lambda epoch, figures: seen.append(epoch))
    assert seen == [4], "started again instead of continuing"
    assert contents(tmp_path) == contents(run)


def test_start_from_another_link_budget(run: Path, tmp_path: Path) -> None:
    """The first validation is no worse than the last one of the run it began with, with two more bits per latent."""
    start = RunSummary.load(run / "fingerprint.json")
    config = small("econ_t_4elink", epochs=1, learning_rate=1e-6)
    summary = train(config, tmp_path, start=run)
    assert summary.val_emd == pytest.approx(start.val_emd, rel=0.1)
    found, expected = (EncoderWeights.load(folder / "weights.npz", spec) for folder, spec in (
        (tmp_path, config.encoder), (run, small().encoder)))
    np.testing.assert_array_equal(found.flat, expected.flat, "tiny steps keep the codes")
    assert summary.fingerprint != train(config, tmp_path).fingerprint
    with pytest.raises(InputError, match="of other formats or shapes"):
        train(small("qkeras_3elink"), tmp_path / "other", start=run)


def test_start_with_another_decoder_takes_the_weights_alone(run: Path, tmp_path: Path) -> None:
    config = small(epochs=1, learning_rate=1e-9, decoder={"width": 24})
    train(config, tmp_path, start=run)
    found, expected = (EncoderWeights.load(folder / "weights.npz", config.encoder) for folder in (tmp_path, run))
    np.testing.assert_array_equal(found.flat, expected.flat)


def test_finished_run_is_not_repeated(run: Path) -> None:
    seen: list[int] = []
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    summary = train(small(), run, report=lambda epoch, figures: seen.append(epoch))
    assert not seen and summary == RunSummary.load(run / "fingerprint.json")
    assert before == {path.name: path.stat().st_mtime_ns for path in run.iterdir()}


def test_summary_of_a_finished_run_is_checked(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    summary = json.loads((run / "fingerprint.json").read_text()) | {"val_emd": "x"}
    (folder / "fingerprint.json").write_text(json.dumps(summary))
    with pytest.raises(InputError, match=r"fingerprint\.json: val_emd: Input should be a valid number"):
        train(small(), folder)


def test_a_folder_in_which_another_training_is_at_work_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match=f"^{tmp_path}: locked by another process"):
        train(small(epochs=1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_training_that_diverges_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"epoch 1: loss .* expected finite .* training.learning_rate below 1e\+30"):
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
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    folder = shutil.copytree(run, tmp_path / "run")
    monkeypatch.setattr("training.fit.train.write_calq", full)
    with pytest.raises(OSError, match="No space left"):
        train(small(epochs=1), folder)
    assert contents(folder) == contents(run)


def test_other_data_options_or_request_do_repeat(tmp_path: Path) -> None:
    for config, retrain in ((small(epochs=1), False), (small(epochs=1), True),
                            (small(epochs=1, learning_rate=1e-3), False),
                            (small(epochs=1).override(data={"n_modules": 300}), False)):
        seen: list[int] = []
        train(config, tmp_path, retrain, report=lambda epoch, figures, seen=seen: seen.append(epoch))
        assert seen == [1]


def test_checkpoint_of_another_run_is_not_used(tmp_path: Path) -> None:
    dataset, path = dataset_of(small(), generate(200, seed=1), 150), tmp_path / "checkpoint.npz"
    trainer = Trainer.from_config(small(), dataset)
    next(trainer.epochs())
    Checkpoint(path, "one").save(trainer)
    fresh = Trainer.from_config(small(), dataset)
    assert not Checkpoint(path, "other").restore(fresh) and fresh.epoch == 0
    assert Checkpoint(path, "one").restore(fresh) and fresh.history == trainer.history


def test_trained_weights_equal_the_emulator(config: Config, tmp_path: Path) -> None:
    """In every configuration the latents that training saw are those of the emulator."""
    from training.networks.chip_encoder import image_codes

    calq = generate(300, seed=1)
    trainer = Trainer.from_config(small(config.name, learning_rate=0.05), dataset_of(config, calq, 256))
    next(trainer.epochs())
    weights = trainer.encoder.codes()
    assert len(np.unique(weights.flat)) > 10
    latent_code = encode(weights, calq)["latent_code"]
    np.testing.assert_array_equal(
        trainer.encoder(image_codes(config.encoder, calq)).numpy(), config.encoder.latent.value(latent_code))


def test_patience_and_the_best_epoch() -> None:
    config = small(patience=2, epochs=50)
    trainer = Trainer.from_config(config, dataset_of(config, generate(100, seed=1), 80))
    trainer.history = {"loss": [1, 1, 1], "val_loss": [1, 1, 1], "val_emd": [2.0, 1.0, 1.5]}
    assert trainer.best_epoch == 2 and not trainer.finished
    trainer.history["loss"].append(1)
    trainer.history["val_emd"].append(1.2)
    assert trainer.finished


def test_trainer_reads_nothing_before_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the pool of generated modules nor a learned loss, which is not there."""
    config = small(loss="emd_loss1", emd_loss_models=str(tmp_path), epochs=1)
    dataset = dataset_of(config, generate(100, seed=1), 80)
    asked: list[Any] = []
    monkeypatch.setattr("training.data.dataset.load_modules", lambda *arguments: asked.append(arguments))
    trainer = Trainer.from_config(config, dataset)
    assert not asked
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"emd_loss1\.npz: no such file"):
        trainer.fit()


@pytest.mark.parametrize("rate", [0.01, 1e30])
def test_threads_of_a_trainer_end_with_it(rate: float) -> None:
    """Also where the numbers are no longer finite."""
    config = small(epochs=2, learning_rate=rate)
    before = set(threading.enumerate())
    trainer = Trainer.from_config(config, dataset_of(config, generate(100, seed=1), 80))
    seen: list[set[threading.Thread]] = []
    with nullcontext() if rate < 1 else pytest.raises(InputError, match="expected finite numbers"):
        trainer.fit(lambda epoch, values: seen.append(set(threading.enumerate())))
    assert set(threading.enumerate()) == before
    assert rate > 1 or seen[0] > before, "it has a thread while it trains"


def test_broken_weights_are_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def restore(self: Trainer) -> None:
        self.encoder.values["dense_bias"].assign(np.full(16, np.nan, np.float32))

    monkeypatch.setattr(Trainer, "restore_best", restore)
    with pytest.raises(InputError, match=r"dense_bias\[0\] = nan"):
        train(small(epochs=1), tmp_path)
    assert not OUTPUTS & {path.name for path in tmp_path.iterdir()}


def test_split_is_a_partition_and_test_rows_do_not_move() -> None:
    calq = generate(1000, seed=1)
    calq[::10] = 0
    split = split_rows(calq, small())
    rows = np.concatenate([split.train, split.validation, split.test])
    assert len(np.unique(rows)) == len(rows) and len(split.test) == 250
    assert set(range(1000)) - set(rows) <= set(range(0, 1000, 10)), "only empty modules may be left out"
    assert calq[split.train].any(axis=1).all() and calq[split.validation].any(axis=1).all()
    other = split_rows(calq, small(seed=9, validation_fraction=0.3))
    np.testing.assert_array_equal(other.test, split.test)


def test_modules_that_augment_are_not_those_that_test() -> None:
    dataset = Dataset.from_config(small())
    assert len(dataset.pool) == 500
    ours, theirs = (to_trigger_cells(part)[part.sum(axis=1) > 99]
                    for part in (dataset.modules.calq, to_image_order(dataset.pool)))
    assert not {row.tobytes() for row in ours} & {row.tobytes() for row in theirs}


def test_data_without_charge_is_refused(tmp_path: Path) -> None:
    write_calq(tmp_path / "empty.csv", np.zeros((50, 48), np.uint32))
    with pytest.raises(InputError, match="leave none for train"):
        train(small().override(data={"files": [str(tmp_path / "empty.csv")]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_metrics_of_known_distances() -> None:
    calq = np.zeros((6, N_TRIGGER_CELLS), np.uint32)
    calq[:4, 0] = [36, 100, 35, 40]
    calq[4, 7] = 200
    distance = np.array([1.0, 2.0, 10.0, np.nan, 3.0, np.nan])
    assert dict(metrics(calq, distance)) == {
        "n_modules": 6, "n_empty_input": 1, "n_empty_output": 1, "n_selected": 4,
        "emd_mean": 2.0, "emd_median": 2.0, "emd_q68": pytest.approx(2.36),
        "emd_mean_all": 4.0, "emd_median_all": 2.5, "emd_q68_all": pytest.approx(3.28),
    }
    nothing = metrics(calq[:0], distance[:0])
    assert nothing.n_modules == 0 and all(value in (0, None) for _, value in nothing) and nothing.emd_mean is None
    assert set(dict(nothing)) == set(nothing.meanings())


class Oracle:
    """A decoder that knows the answer."""

    inputs = (None,)

    def __init__(self, fractions: np.ndarray) -> None:
        self.fractions = fractions

    def __call__(self, inputs: list[np.ndarray]) -> np.ndarray:
        return self.fractions


def test_evaluate_of_known_decoders() -> None:
    spec = small().encoder
    calq = generate(50, seed=2)
    weights = EncoderWeights.random(spec, 1)
    true = to_trigger_cells(calq) / calq.sum(axis=1, keepdims=True)
    perfect = evaluate(spec, weights, Oracle(true), calq)
    assert perfect.emd_mean_all == pytest.approx(0, abs=1e-9)
    turned = evaluate(spec, weights, Oracle(np.roll(true, 16, axis=1)), calq)
    assert turned.emd_mean_all is not None and turned.emd_mean_all > 3
    empty = evaluate(spec, weights, Oracle(np.zeros((50, 48))), calq)
    assert empty.n_empty_output == 50 and empty.emd_mean_all is None


def test_order_of_cells_on_the_way_to_the_decoder() -> None:
    tc = np.arange(48)[None]
    np.testing.assert_array_equal(to_trigger_cells(to_image_order(tc)), tc)
    assert to_image_order(tc)[0, 0] == 28, "the first image cell is trigger cell 28"


def test_context_is_what_the_frame_carries() -> None:
    sums = np.array([0, 1, 2, 3, 1000, 1001, 1 << 21])
    found = context(sums)
    assert found.shape == (7, 2) and np.isfinite(found).all()
    np.testing.assert_array_equal(found[4], found[5], "1000 and 1001 share a 5E4M code")
    assert (np.diff(found[1:4, 0]) > 0).all() and (np.abs(found[:, 1]) <= 0.5).all()


def test_decoder_file(tmp_path: Path) -> None:
    config = small()
    decoder = build_decoder(config.encoder, config.training.decoder, seed=1)
    save_decoder(decoder, config.training.decoder, tmp_path / "decoder.npz")
    latent = np.random.default_rng(1).random((20, 16))
    module_sum = np.arange(20)
    expected = decode(decoder, latent, module_sum)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    again = load_decoder(tmp_path / "decoder.npz", config.encoder)
    np.testing.assert_array_equal(decode(again, latent, module_sum), expected)
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    for path, match in ((tmp_path / "bad.npz", "not readable as npz"), (tmp_path / "none", "no such file")):
        with pytest.raises(InputError, match=match):
            load_decoder(path, config.encoder)


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
