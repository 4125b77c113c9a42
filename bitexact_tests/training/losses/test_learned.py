"""Learned losses: what holds whatever their weights, values in NumPy, accuracy against POT, and use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models.calq_io import write_calq
from models.config import Config
from models.errors import InputError
from models.trigger_cells import N_TRIGGER_CELLS, distance_matrix, to_trigger_cells
from training.data.dataset import split_rows
from training.losses.learned_pairs import make_pairs
from training.networks.catalogue import arrangement
from training.production.toy import generate
from training.results.emd_loss import LearnedLosses
from training.results.run import History

pytest.importorskip("tensorflow")

import tensorflow as tf

from training.__main__ import app
from training.fit.fingerprint import fingerprint_of
from training.fit.train import train
from training.losses.find import find_loss
from training.losses.learned import build, held_out_pairs, load_model
from training.losses.learned_file import SIZES, Size, read, save

CALQ = to_trigger_cells(generate(400, seed=5))
CONFIG = REPOSITORY / "configs" / "econ_t_3elink.yaml"
GEOMETRIES = [Size("8x8", 4, 5, 1, 8), Size("4x4x3", 5, 3, 3, 8), Size("6x6x3", 4, 3, 2, 8)]


def pot(true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    import ot

    return np.array([ot.emd2(t / t.sum(), p / p.sum(), distance_matrix()) for t, p in zip(true, pred, strict=True)])


def some_pairs(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    true, pred, _ = make_pairs(CALQ, n, np.random.default_rng(2))
    return true, pred


def value(model: Any, true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    return model([tf.constant(true, tf.float32), tf.constant(pred, tf.float32)]).numpy()[:, 0].astype(float)


def shaken(size: Size, seed: int = 3) -> Any:
    """A network with biases too, unlike at the start, so that it has no symmetry but those of its structure."""
    model, rng = build(size, seed), np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.3 if weight.ndim == 1 else 2 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape)
                       for weight in model.get_weights()])
    return model


def in_numpy(size: Size, weights: list[np.ndarray], true: np.ndarray, pred: np.ndarray) -> float:
    """The same loss of one pair in plain loops and double precision."""
    difference = true - pred
    moved = np.abs(difference).sum() / 2
    answers = [_network(size, weights, sign * difference / moved) for sign in (1, -1)]
    off_diagonal = distance_matrix()[~np.eye(N_TRIGGER_CELLS, dtype=bool)]
    part = 1 / (1 + np.exp(-np.mean(answers)))
    return float(moved * ((1 - part) * off_diagonal.min() + part * off_diagonal.max()))


def _network(size: Size, weights: list[np.ndarray], cells: np.ndarray) -> float:
    places = arrangement(size.image)
    x = np.where(places >= 0, cells[places], 0.0)
    rows, columns, _ = x.shape
    reach, rest = size.kernel // 2, [weight.astype(float) for weight in weights]
    for _ in range(size.layers):
        kernel, bias, *rest = rest
        padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)))
        x = np.array([[_swish(np.tensordot(padded[r : r + size.kernel, c : c + size.kernel], kernel, 3) + bias)
                       for c in range(columns)] for r in range(rows)])
    hidden, hidden_bias, last, last_bias = rest
    return float((_swish(x.ravel() @ hidden + hidden_bias) @ last + last_bias)[0])


def _swish(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


every_size = pytest.mark.parametrize(
    "size", [*SIZES, *GEOMETRIES], ids=lambda size: "-".join(map(str, astuple(size))))


@every_size
def test_equal_maps_have_no_distance_whatever_the_weights(size: Size) -> None:
    true, _ = some_pairs()
    np.testing.assert_array_equal(value(shaken(size), true, true), 0)


@every_size
def test_the_distance_is_symmetric_whatever_the_weights(size: Size) -> None:
    true, pred = some_pairs()
    model = shaken(size)
    np.testing.assert_allclose(value(model, pred, true), value(model, true, pred), rtol=1e-5)


@every_size
def test_the_distance_is_proportional_to_the_difference_whatever_the_weights(size: Size) -> None:
    true, pred = some_pairs()
    model = shaken(size)
    np.testing.assert_allclose(value(model, true, 0.75 * true + 0.25 * pred), value(model, true, pred) / 4, rtol=1e-3)


@every_size
def test_the_distance_is_within_the_bounds_of_any_transport_whatever_the_weights(size: Size) -> None:
    true, pred = some_pairs()
    found, moved = value(shaken(size), true, pred), np.abs(true - pred).sum(axis=1) / 2
    distance = distance_matrix()[~np.eye(N_TRIGGER_CELLS, dtype=bool)]
    assert (found >= moved * distance.min() * (1 - 1e-5)).all() and (found <= moved * distance.max() * (1 + 1e-5)).all()
    assert np.std(found / moved) > 0.01, "the weights do say where in between"


@pytest.mark.parametrize("size", GEOMETRIES, ids=lambda size: size.image)
def test_value_and_gradient_against_numpy(size: Size) -> None:
    true, pred = some_pairs(8)
    model = shaken(size)
    weights = model.get_weights()
    np.testing.assert_allclose(
        value(model, true, pred), [in_numpy(size, weights, t, p) for t, p in zip(true, pred, strict=True)], rtol=1e-4)
    tensor = tf.constant(pred, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss = tf.reduce_sum(model([tf.constant(true, tf.float32), tensor]))
    gradient = tape.gradient(loss, tensor).numpy()
    for t, p, slope in zip(true, pred, gradient, strict=True):
        step = np.zeros(N_TRIGGER_CELLS)
        source, target = np.abs(t - p).argsort()[-2:]  # far from where |true - pred| has its kink
        step[source], step[target] = -1e-6, 1e-6
        expected = (in_numpy(size, weights, t, p + step) - in_numpy(size, weights, t, p - step)) / 2e-6
        assert slope[target] - slope[source] == pytest.approx(expected, rel=1e-2, abs=1e-2)


def test_equal_and_empty_maps_have_finite_gradients() -> None:
    true, _ = some_pairs(4)
    for first in (true, np.zeros_like(true)):
        pred = tf.constant(true, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(pred)
            loss = shaken(GEOMETRIES[0])([tf.constant(first, tf.float32), pred])
        assert np.isfinite(loss.numpy()).all() and np.isfinite(tape.gradient(loss, pred).numpy()).all()


@pytest.fixture(scope="module")
def pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of maps, made of modules of which five are empty, and their EMD."""
    calq = np.concatenate([np.zeros((5, N_TRIGGER_CELLS), int), CALQ])
    return make_pairs(calq, 700, np.random.default_rng(1))


def test_pairs_are_maps_of_the_modules_and_others(pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    true, pred, exact = pairs
    assert 600 < len(exact) <= 700 and (exact > 0).all() and (pred >= 0).all()
    np.testing.assert_allclose([true.sum(axis=1), pred.sum(axis=1)], 1)
    cells = {tuple(row) for row in np.round(CALQ[CALQ.any(axis=1)] / CALQ[CALQ.any(axis=1)].sum(axis=1)[:, None], 12)}
    assert all(tuple(row) in cells for row in np.round(true, 12))


def test_pairs_come_with_their_exact_emd(pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    true, pred, exact = pairs
    np.testing.assert_allclose(exact, pot(true, pred), rtol=1e-6)


def test_equal_seeds_give_equal_pairs() -> None:
    first, second = (make_pairs(CALQ, 100, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(np.stack(first[:2]), np.stack(second[:2]))


OPTIONS = ["emd-loss", "--config", str(CONFIG), "--set", "data.source=toy", "--set", "training.augment.pool=500",
           "--n-modules", "400", "--epochs", "3", "--best", "2", "--n-trained", "3", "--n-pairs", "1024"]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned") / "emd_loss"
    result = CliRunner().invoke(app, [*OPTIONS, "--output", str(folder)])
    assert result.exit_code == 0, result.output
    assert "emd_loss2" in result.stdout and "emd_loss3" not in result.stdout
    return folder


@dataclass(frozen=True)
class HeldOut:
    """The result of a family, and the pairs that it is of: made again, with the exact EMD by POT."""

    content: LearnedLosses
    true: np.ndarray
    pred: np.ndarray
    exact: np.ndarray


@pytest.fixture(scope="module")
def held_out(family: Path) -> HeldOut:
    config = Config.load(CONFIG)
    calq = generate(400, config.data.seed)
    modules = to_trigger_cells(calq[split_rows(calq, config).validation])
    true, pred, _ = held_out_pairs(modules, 1024, seed=1)
    return HeldOut(LearnedLosses.load(family / "emd_loss.json"), true, pred, pot(true, pred))


def test_the_best_losses_are_kept_in_order(family: Path, held_out: HeldOut) -> None:
    assert sorted(path.name for path in family.iterdir()) == ["emd_loss.json", "emd_loss1.npz", "emd_loss2.npz"]
    errors = [row.mean_absolute_error for row in held_out.content.models]
    assert len(errors) == 2 and errors == sorted(errors) and held_out.content.n_trained == 3


def test_held_out_pairs_are_those_of_the_validation_modules(held_out: HeldOut) -> None:
    assert held_out.content.n_held_out_pairs == len(held_out.exact)
    assert held_out.content.mean_emd == pytest.approx(held_out.exact.mean(), rel=1e-6)


@pytest.mark.parametrize("number", [0, 1])
def test_a_loss_that_is_read_computes_what_numpy_does(family: Path, held_out: HeldOut, number: int) -> None:
    row = held_out.content.models[number]
    size = Size(row.image, row.filters, row.kernel, row.layers, row.units)
    model, true, pred = load_model(family, row.name), held_out.true[:5], held_out.pred[:5]
    expected = [in_numpy(size, model.get_weights(), t, p) for t, p in zip(true, pred, strict=True)]
    np.testing.assert_allclose(value(model, true, pred), expected, rtol=1e-4)


@pytest.mark.parametrize("number", [0, 1])
def test_accuracy_is_that_against_the_exact_emd(family: Path, held_out: HeldOut, number: int) -> None:
    row, exact = held_out.content.models[number], held_out.exact
    found = value(load_model(family, row.name), held_out.true, held_out.pred)
    error = found - exact
    assert row.mean_absolute_error == pytest.approx(np.mean(np.abs(error)), rel=1e-5)
    assert row.bias == pytest.approx(np.mean(error), rel=1e-4, abs=1e-5)
    assert row.spread == pytest.approx(np.sqrt(np.mean(error**2) - np.mean(error) ** 2), rel=1e-4)
    covariance = np.mean(found * exact) - found.mean() * exact.mean()
    assert row.correlation == pytest.approx(covariance / found.std() / exact.std(), rel=1e-4)


@pytest.mark.parametrize("number", [0, 1])
def test_training_of_a_loss_lowers_its_error(held_out: HeldOut, number: int) -> None:
    row = held_out.content.models[number]
    size = Size(row.image, row.filters, row.kernel, row.layers, row.units)
    start = value(build(size, row.seed), held_out.true, held_out.pred)
    assert row.mean_absolute_error < 0.7 * np.mean(np.abs(start - held_out.exact))


def test_same_seed_same_losses(family: Path, tmp_path: Path) -> None:
    def digests(folder: Path) -> list[str]:
        return [row.digest for row in LearnedLosses.load(folder / "emd_loss.json").models]

    for folder, options in (("same", []), ("other", ["--seed", "2", "--best", "1", "--n-trained", "1"])):
        result = CliRunner().invoke(app, [*OPTIONS, "--output", str(tmp_path / folder), *options])
        assert result.exit_code == 0, result.output
    assert digests(tmp_path / "same") == digests(family)
    for path in family.iterdir():
        assert (tmp_path / "same" / path.name).read_bytes() == path.read_bytes(), path.name
    assert not set(digests(tmp_path / "other")) & set(digests(family))


@pytest.mark.parametrize(("options", "message"), [
    (["--n-trained", "1"], "--n-trained 1, expected at least 2, the number to keep (--best)"),
    (["--config", "none.yaml"], "none.yaml"),
    (["--data", "none.csv"], "none.csv"),
    (["-i", "none.csv", "--epoch", "50"], "none.csv"),
    (["--set", "training.loss=emd_loss0"], "training.loss: expected telescope, "),
])
def test_refuses_in_one_line(options: list[str], message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*OPTIONS, "--output", str(tmp_path / "out"), *options])
    assert result.exit_code == 2
    assert message in result.stderr and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [["--best", "0"], ["--epochs", "0"], ["--n-pairs", "10"], ["--seed", "-1"]])
def test_refuses_numbers_out_of_range(options: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*OPTIONS, "--output", str(tmp_path / "out"), *options])
    assert result.exit_code == 2 and options[0] in result.output and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["thesis.tex", "emd_loss_notes.txt", "emd_loss1.npz.old", "emd_loss0.npz",
                                  "emd_loss1.keras", "emd_loss2.npz/thesis.tex"])
def test_takes_no_folder_that_holds_other_things(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("all of it")
    (tmp_path / "emd_loss1.npz").write_text("a loss")
    result = CliRunner().invoke(app, [*OPTIONS, "--output", str(tmp_path)])
    assert result.exit_code == 2 and f"holds {name.split('/', maxsplit=1)[0]}, " in result.stderr
    assert (tmp_path / name).read_text() == "all of it" and (tmp_path / "emd_loss1.npz").read_text() == "a loss"


def test_replaces_a_folder_of_losses(family: Path, tmp_path: Path) -> None:
    for name in ("emd_loss.json", "emd_loss17.npz"):
        (tmp_path / name).write_text("an older one")
    options = ["--epochs", "1", "--best", "1", "--n-trained", "1", "--output", str(tmp_path)]
    assert CliRunner().invoke(app, [*OPTIONS, *options]).exit_code == 2
    assert (tmp_path / "emd_loss17.npz").read_text() == "an older one"
    result = CliRunner().invoke(app, [*OPTIONS, *options, "--retrain"])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["emd_loss.json", "emd_loss1.npz"]


def small(family: Path, **training: Any) -> Config:
    options = {"loss": "emd_loss1", "emd_loss_models": str(family), "epochs": 6, "passes": 10, "final_fraction": 0.0,
               "batch_size": 64, "learning_rate": 0.01, "augment": {"generated": 0.0},
               "decoder": {"width": 64, "layers": 2}}
    return Config.load(CONFIG).override(data={"source": "toy", "n_modules": 400}, training=options | training)


def test_training_with_it_lowers_the_exact_emd(family: Path, tmp_path: Path) -> None:
    train(small(family), tmp_path)
    history = History.load(tmp_path / "history.json")
    assert len(history.val_emd) == 6 and min(history.val_emd) < 0.7 * history.val_emd[0]
    assert min(history.val_loss) < 0.9 * history.val_loss[0]


def test_fingerprint_has_the_weights_and_not_their_place(family: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for name, source in (("emd_loss1", "emd_loss1"), ("emd_loss3", "emd_loss2")):
        (moved / f"{name}.npz").write_bytes((family / f"{source}.npz").read_bytes())
    first = fingerprint_of(small(family), "data")
    assert fingerprint_of(small(moved), "data") == first
    (moved / "emd_loss1.npz").write_bytes((family / "emd_loss2.npz").read_bytes())
    assert fingerprint_of(small(moved), "data") != first
    without = small(family, loss="kernel")
    assert fingerprint_of(without, "data") == fingerprint_of(small(tmp_path / "none", loss="kernel"), "data")


def test_a_loss_that_is_missing_is_named_with_those_that_are_there(family: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"emd_loss9\.npz: no such file for loss .* emd_loss1 to emd_loss2"):
        find_loss("emd_loss9", family)
    with pytest.raises(InputError, match=r"none/emd_loss1\.npz: no such file .* emd-loss --output"):
        find_loss("emd_loss1", tmp_path / "none")


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    (tmp_path / "emd_loss1.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"emd_loss1\.npz: not readable as npz"):
        find_loss("emd_loss1", tmp_path)


@pytest.mark.parametrize(("change", "message"), [
    (lambda size, weights: (size, weights[1:]), r"157,856 weights, expected 157,857 of a network of Size"),
    (lambda size, weights: (Size("8x8", 1 << 40, 3, 2, 64), weights), r"network of size .*1099511627776"),
    (lambda size, weights: (size, np.where(np.arange(len(weights)) == 7, np.nan, weights)), r"weights\[7\] = nan"),
], ids=["one weight fewer", "endless", "not a number"])
def test_weights_that_are_none_of_the_network_are_named(
    family: Path, tmp_path: Path, change: Callable[[Size, np.ndarray], tuple[Size, np.ndarray]], message: str
) -> None:
    size, weights = change(*read(family / "emd_loss1.npz"))
    save(tmp_path / "emd_loss1.npz", size, [weights])
    with pytest.raises(InputError, match=rf"emd_loss1\.npz: {message}"):
        find_loss("emd_loss1", tmp_path)


def test_no_graph_comes_from_a_file(family: Path, tmp_path: Path) -> None:
    """A model of Keras under the name of a loss is not read, whatever it computes."""
    import tf_keras

    load_model(family, "emd_loss1").save(tmp_path / "loss.keras", save_format="keras")
    assert tf_keras.models.load_model(tmp_path / "loss.keras", compile=False)
    (tmp_path / "loss.keras").rename(tmp_path / "emd_loss1.npz")
    with pytest.raises(InputError, match=r"emd_loss1\.npz: array size is missing, expected size, weights"):
        find_loss("emd_loss1", tmp_path)


def test_missing_losses_stop_training_in_one_line(tmp_path: Path) -> None:
    write_calq(tmp_path / "calq.csv", CALQ, "tc")
    result = CliRunner().invoke(app, [
        "train", "--config", str(CONFIG), "--data", str(tmp_path / "calq.csv"), "--loss", "emd_loss1",
        "--set", f"training.emd_loss_models={tmp_path}", "--output", str(tmp_path / "run")])
    assert result.exit_code == 2 and not (tmp_path / "run").exists()
    assert result.stderr.startswith("error: ") and "emd_loss1.npz: no such file" in result.stderr
    assert result.stderr.count("\n") == 1
