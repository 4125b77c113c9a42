"""The folder of a run: what it tells, that it reads nothing too early, and that nobody else knows its file names."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import small
from models.config import TrainingConfig
from models.errors import InputError
from models.trigger_cells import to_trigger_cells
from training.data.dataset import Dataset
from training.fit.run import Run
from training.results.run import History

pytest.importorskip("tensorflow")

from training.fit.train import train
from training.networks.decoding import decode


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of one epoch."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    train(small(epochs=1), folder)
    return Run(folder)


def test_what_was_trained(run: Run) -> None:
    dataset = Dataset.from_config(small())
    assert run.config == small(epochs=1) and run.weights.spec == run.config.encoder
    np.testing.assert_array_equal(run.test.calq, dataset.test.calq)
    assert run.summary.data_digest == dataset.digest and len(run.history.loss) == run.summary.epochs == 1
    assert decode(run.decoder, np.zeros((2, 16)), np.array([1, 1])).shape == (2, 48)
    assert repr(run) == f"<Run {run.folder}: econ_t_3elink, 3 links, 1 epoch, validation EMD " \
                        f"{run.summary.val_emd:.3f}>"
    with pytest.raises(InputError, match=r"does not set training\.network"):
        _ = run.network


def test_each_file_is_read_once(run: Run, tmp_path: Path) -> None:
    again = Run(shutil.copytree(run.folder, tmp_path / "again"))
    for name in ("config", "weights", "decoder", "test", "history", "summary"):
        assert getattr(again, name) is getattr(again, name)


def test_evaluation_is_that_of_the_held_out_modules(run: Run) -> None:
    found, busiest = run.evaluate(), run.test.calq.sum(axis=1).argmax()
    assert found.n_modules == len(run.test.calq) and found.weights == run.weights.digest()
    assert repr(found) == (f"<Evaluation of econ_t_3elink: mean EMD {found.emd_mean:.3f} of {found.n_selected} of "
                           f"{found.n_modules} modules>")
    assert f"<td>emd_mean</td><td>{found.emd_mean}</td>" in found._repr_html_()
    assert run.evaluate(run.test.calq[busiest : busiest + 1]).n_modules == 1


def test_network_of_a_run(tmp_path: Path) -> None:
    config = small(epochs=1, network="dense_d32_tele", loss="telescope")
    train(config, tmp_path)
    run = Run(tmp_path)
    module_sum, latent = run.network.encode(run.test.calq)
    np.testing.assert_array_equal(module_sum, to_trigger_cells(run.test.calq).sum(axis=1))
    assert latent.shape == (len(run.test.calq), 16) and run.evaluate().n_modules == len(run.test.calq)
    with pytest.raises(InputError, match=r"network\.npz is not an encoder of the chip"):
        _ = run.weights


def test_folder_that_is_not_there() -> None:
    run = Run("none")
    assert repr(run) == "<Run none: not trained>" and not Path("none").exists()
    assert Run.of(small()).folder == Path("runs/econ_t_3elink")
    with pytest.raises(InputError, match=r"^none: no such folder and no shipped set .* or one of econ_t_1elink, "):
        _ = run.config
    with pytest.raises(InputError, match=r"; did you mean 'econ_t_5elink'\?$"):
        _ = Run("econ_t_5link").config
    Path("none").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none/config\.yaml"):
        _ = run.config


def test_repr_of_a_broken_run_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    broken = Run(shutil.copytree(run.folder, tmp_path / "broken"))
    broken.summary_file.write_text(json.dumps({"fingerprint": 1}))
    assert repr(broken).startswith(f"<Run {broken.folder}: {broken.summary_file}: ")


def test_starts_no_tensorflow() -> None:
    code = "import sys; from training.fit.run import Run; repr(Run('none')); print('tensorflow' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


NAMES = {path.name for value in vars(Run("r")).values() for path in (value if isinstance(value, tuple) else [value])
         if isinstance(path, Path) and path.suffix}
"""Of files; those of folders are words that are also something else."""
OWNER = REPOSITORY / "training" / "fit" / "run.py"


def spelt(source: str) -> list[str]:
    """File names of a run in the code of a module: `line: name`; sentences, as in documentation, may have them."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not any(map(str.isspace, node.value)):
            part = node.value.rpartition("/")[2]
            if part in NAMES or part.startswith(("rtl_", "hls_")):
                found.append(f"{node.lineno}: {node.value}")
    return found


def test_file_names_are_spelt_once() -> None:
    assert {"weights.npz", "decoder.npz", "fingerprint.json", "report.html", "constant.json"} <= NAMES
    users = [*(REPOSITORY / "training").rglob("*.py"), *(REPOSITORY / "bitexact_tests").glob("*.py")]
    bad = {str(path.relative_to(REPOSITORY)): lines for path in users if path != OWNER
           if (lines := spelt(path.read_text(encoding="utf-8")))}
    assert not bad
    assert spelt(OWNER.read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", [
    'path = run / "config.yaml"', 'open(f"{run}/test.csv")', 'run.glob("hls_*")', 'run / f"rtl_{technology}.json"'])
def test_a_spelt_name_is_found(line: str) -> None:
    assert spelt(line) and not spelt('"""Reads config.yaml of a run."""')


@pytest.mark.parametrize(("epochs", "fraction", "n_done", "first"), [
    (10, 0.25, 10, 9), (10, 0.5, 6, 6), (10, 0.5, 5, None), (10, 0.0, 10, None), (10, 1.0, 10, None)])
def test_history_says_where_the_loss_changed(epochs: int, fraction: float, n_done: int, first: int | None) -> None:
    """At the first epoch on the final loss, if it came so far and another loss was before."""
    training = TrainingConfig(loss="kernel", final_loss="emd", epochs=epochs, final_fraction=fraction)
    history = History(loss=(1.0,) * n_done, val_loss=(1.0,) * n_done)
    found = history.marked(training)
    assert found.final_from == first and found.losses == (("kernel", "emd") if first else ())
    assert history.marked(training.model_copy(update={"final_loss": "kernel"})) == history
