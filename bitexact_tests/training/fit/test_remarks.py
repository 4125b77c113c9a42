"""What is said beside an EMD: modules that were trained on, decoders of other weights, samples that stay apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.samples.runs import small
from models.calq_io import write_calq
from models.command_line import econ_t
from models.weights import EncoderWeights
from training.data.dataset import Dataset, n_known, row_keys
from training.fit.run import Run
from training.fit.train import train
from training.networks.decoder_file import trained_with
from training.production.toy import generate
from training.report.page import write_report

DATASET = Dataset.from_config(small(epochs=1))
UNSEEN = "the EMD is not that of modules it has not seen"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short run on DATASET, with files of charges beside it."""
    root = tmp_path_factory.mktemp("remarks")
    train(small(epochs=1), root / "run")
    write_calq(root / "trained.csv", np.concatenate([DATASET.train.calq[:30], DATASET.validation.calq[:5]]))
    write_calq(root / "new.csv", generate(60, seed=77))
    write_calq(root / "half.csv", np.concatenate([DATASET.train.calq[:20], generate(20, seed=78)]))
    return Run(root / "run")


def call(*arguments: object) -> Result:
    done = CliRunner().invoke(econ_t(), list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done


def evaluated(run: Run, *files: str, weights: Path | None = None) -> tuple[Result, object]:
    root = run.folder.parent
    inputs = [word for file in files for word in ("--input", root / file)]
    done = call("evaluate", "--weights", weights or run.weights_file, "--config", run.config_file, "--decoder",
                run.folder, *inputs, "--json", root / "metrics.json", "--n-processes", 1)
    return done, json.loads((root / "metrics.json").read_text())


def test_a_decoder_knows_the_weights_that_it_was_trained_with(run: Run) -> None:
    assert trained_with(run.decoder_file) == run.weights.digest()


def test_keys_are_those_of_the_modules_trained_and_validated_on(run: Run) -> None:
    seen = np.concatenate([DATASET.train.calq, DATASET.validation.calq])
    assert_array_equal(run.trained_rows, row_keys(seen))
    busy = int((np.count_nonzero(seen, axis=1) >= 4).sum())
    assert 200 < busy == n_known(seen, run.trained_rows) and len(run.trained_rows) <= busy
    assert n_known(DATASET.test.calq, run.trained_rows) == 0


def test_modules_that_are_equal_by_chance_are_not_counted() -> None:
    """One or a few cells of little charge, as in sparse samples; and no other module has the key of a busy one."""
    few = np.zeros((3, 48), dtype=np.uint32)
    few[:, :3] = 2
    assert len(row_keys(few)) == 0 and n_known(few, row_keys(few)) == 0
    busy = generate(200, seed=5)
    busy = busy[np.count_nonzero(busy, axis=1) >= 4]
    swapped = busy[:, ::-1]
    assert n_known(swapped, row_keys(busy)) == sum((row == busy).all(axis=1).any() for row in swapped)
    assert n_known(busy + (busy > 0), row_keys(busy)) == 0


def test_evaluation_says_what_was_trained_on(run: Run) -> None:
    done, found = evaluated(run, "new.csv")
    assert isinstance(found, dict) and found["remarks"] == [] and "WARNING" not in done.output
    n = n_known(np.concatenate([DATASET.train.calq[:30], DATASET.validation.calq[:5]]), run.trained_rows)
    done, found = evaluated(run, "trained.csv")
    text = f"run was trained on {n} of the 35 modules of {run.folder.parent / 'trained.csv'}: {UNSEEN}"
    assert isinstance(found, dict) and found["remarks"] == [text] and f"WARNING: {text}" in done.output


def test_weights_and_a_decoder_that_were_not_trained_together_are_told(run: Run) -> None:
    other = EncoderWeights.random(run.config.encoder, 9)
    other.save(run.folder.parent / "other.npz")
    done, found = evaluated(run, "new.csv", weights=run.folder.parent / "other.npz")
    assert isinstance(found, dict) and len(found["remarks"]) == 1
    text = f"was trained with other weights, {run.weights.digest()}, than these, {other.digest()}"
    assert text in found["remarks"][0]
    assert f"WARNING: {run.decoder_file}" in done.output


def test_two_inputs_are_two_samples(run: Run) -> None:
    done, both = evaluated(run, "new.csv", "trained.csv")
    assert isinstance(both, list) and [row["n_modules"] for row in both] == [60, 35]
    assert [Path(row["data"]).name for row in both] == ["new.csv", "trained.csv"]
    assert both == [evaluated(run, "new.csv")[1], evaluated(run, "trained.csv")[1]]
    assert done.output.count("bits per latent") == 2


def test_comparison_keeps_samples_apart_and_says_what_was_trained_on(run: Run, tmp_path: Path) -> None:
    root = run.folder.parent
    done = call("compare", "--run", run.folder, "--input", root / "new.csv", "--input", root / "half.csv", "--links", 3,
                "--json", tmp_path / "physics.json", "--n-processes", 1)
    new, half = json.loads((tmp_path / "physics.json").read_text())
    assert (new["n_modules"], half["n_modules"]) == (60, 40) and new["remarks"] == []
    assert len(half["remarks"]) == 1 and half["remarks"][0].endswith(UNSEEN) and done.output.count(UNSEEN) == 1


def test_two_runs_head_to_head_are_told_what_they_were_trained_on(run: Run, tmp_path: Path) -> None:
    root = run.folder.parent
    shutil.copytree(run.folder, tmp_path / "other")
    done = call("compare", run.folder, tmp_path / "other", "--input", root / "new.csv", "--input", root / "half.csv",
                "--n-processes", 1)
    assert done.output.count(UNSEEN) == 2 and "run was trained on" in done.output and "other was trained" in done.output


def test_the_report_says_it_too(run: Run, tmp_path: Path) -> None:
    evaluated(run, "trained.csv")
    run.metrics_file.write_text((run.folder.parent / "metrics.json").read_text())
    assert UNSEEN in write_report(Run(run.folder)).read_text()


def test_a_run_that_starts_from_another_one_has_seen_its_modules(run: Run, tmp_path: Path) -> None:
    config = small(epochs=1).override(data={"seed": 5, "n_modules": 200})
    train(config, tmp_path / "next", start=run.folder)
    own = row_keys(np.concatenate([part.calq for part in (Dataset.from_config(config).train,
                                                          Dataset.from_config(config).validation)]))
    assert_array_equal(Run(tmp_path / "next").trained_rows, np.union1d(run.trained_rows, own))
