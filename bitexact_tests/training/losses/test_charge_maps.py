"""Every loss against a computation of its own in plain loops or POT, and its gradient by differences."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from models.config import LOSS_NAMES
from models.trigger_cells import N_TRIGGER_CELLS, SUPER_CELLS, distance_matrix, super_cell_weights, to_trigger_cells
from training.networks.catalogue import arrangement
from training.production.toy import generate

tf = pytest.importorskip("tensorflow")

from training.losses import charge_maps as losses  # noqa: E402  (after the check that TensorFlow is there)

CELLS = range(N_TRIGGER_CELLS)


def pair(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Charge fractions of n modules, and of others near them."""
    calq = to_trigger_cells(generate(2 * n, seed=8)).astype(float)
    true, other = (part / part.sum(axis=1, keepdims=True) for part in np.split(calq, 2))
    return true, 0.7 * true + 0.3 * other


def weighted(true: float, pred: float) -> float:
    return (true - pred) ** 2 * max(true, pred)


def telescope_of(true: np.ndarray, pred: np.ndarray) -> float:
    cells = np.mean([weighted(true[i], pred[i]) for i in CELLS])
    groups = np.mean([
        weight * weighted(sum(true[i] for i in group), sum(pred[i] for i in group))
        for group, weight in zip(SUPER_CELLS, super_cell_weights(), strict=True)
    ])
    thirds = np.mean([weighted(true[i : i + 16].sum(), pred[i : i + 16].sum()) for i in (0, 16, 32)])
    return float(4 * cells + 2 * groups + thirds)


def telescope_of_groups(groups: set[frozenset[int]], true: np.ndarray, pred: np.ndarray) -> float:
    """The telescope loss of super cells that were found in an image; a cell at the centre of the module is in three."""
    n_groups = {cell: sum(cell in group for group in groups) for cell in CELLS}
    quarter = {1: 1 / 4, 2: 1 / 8, 3: 1 / 16 + 1 / 12, 4: 1 / 16}
    large = np.mean([
        sum(quarter[n_groups[i]] for i in group) * weighted(sum(true[i] for i in group), sum(pred[i] for i in group))
        for group in groups])
    thirds = np.mean([weighted(true[third].sum(), pred[third].sum()) for third in np.arange(48).reshape(3, 16)])
    return float(4 * weighted_mse_of(true, pred) + 2 * large + thirds)


def windows(image: np.ndarray) -> set[frozenset[int]]:
    """All 2x2 windows of the channels of an image that hold four trigger cells."""
    rows, columns, channels = image.shape
    found = {frozenset(image[r : r + 2, c : c + 2, k].ravel().tolist())
             for r in range(rows - 1) for c in range(columns - 1) for k in range(channels)}
    return {window for window in found if len(window) == 4 and min(window) >= 0}


def telescope_4x4x3_of(true: np.ndarray, pred: np.ndarray) -> float:
    """Windows of the image, and those across the edges of two channels: pairs of cells that face each other there."""
    distance = distance_matrix()
    facing = [pair for pair in combinations(CELLS, 2) if pair[0] // 16 != pair[1] // 16 and distance[pair] < 1.9]
    across = {frozenset((*one, *next_)) for one, next_ in combinations(facing, 2)
              if all(a // 16 == b // 16 and distance[a, b] < 2.1 for a, b in zip(one, next_, strict=True))}
    return telescope_of_groups(windows(arrangement("4x4x3")) | across, true, pred)


def telescope_6x6x3_of(true: np.ndarray, pred: np.ndarray) -> float:
    """Windows of the image, which repeats the edges: those in two channels are the same group of cells."""
    return telescope_of_groups(windows(arrangement("6x6x3")), true, pred)


def weighted_mse_of(true: np.ndarray, pred: np.ndarray) -> float:
    return float(np.mean([weighted(true[i], pred[i]) for i in CELLS]))


def kernel_of(true: np.ndarray, pred: np.ndarray) -> float:
    distance, difference = distance_matrix(), true - pred
    energies = [
        sum(difference[i] * difference[j] * np.exp(-(distance[i, j] ** 2) / 2 / width**2) for i in CELLS for j in CELLS)
        for width in (1, 2, 4, 8)
    ]
    return float(np.average(np.sqrt(energies), weights=[8, 4, 2, 1]))


def sinkhorn_of(true: np.ndarray, pred: np.ndarray) -> float:
    import ot

    a, b, distance = true[true > 0], pred[pred > 0], distance_matrix()[np.ix_(true > 0, pred > 0)]
    plan = ot.sinkhorn(a, b * a.sum() / b.sum(), distance, losses.SINKHORN_REGULARISATION, method="sinkhorn_log",
                       numItermax=10_000, stopThr=1e-10)
    return float((plan * distance).sum())


def emd_of(true: np.ndarray, pred: np.ndarray) -> float:
    import ot

    return float(ot.emd2(true, pred * true.sum() / pred.sum(), distance_matrix()))


EXPECTED = {"telescope": telescope_of, "telescope_4x4x3": telescope_4x4x3_of, "telescope_6x6x3": telescope_6x6x3_of,
            "weighted_mse": weighted_mse_of, "kernel": kernel_of, "sinkhorn": sinkhorn_of, "emd": emd_of}
RELATIVE = {"sinkhorn": 0.02}
"""`sinkhorn` stops after a fixed number of iterations."""


def test_every_loss_is_tested() -> None:
    assert set(EXPECTED) == set(losses.LOSSES) == set(LOSS_NAMES)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_value(name: str) -> None:
    true, pred = pair(8)
    found = losses.LOSSES[name](tf.constant(true, tf.float32), tf.constant(pred, tf.float32)).numpy()
    expected = [EXPECTED[name](t, p) for t, p in zip(true, pred, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=RELATIVE.get(name, 1e-3))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_equal_maps_lose_nothing_and_far_maps_lose_more(name: str) -> None:
    loss = losses.LOSSES[name]
    one_hot = tf.eye(N_TRIGGER_CELLS)
    same, moved = (loss(one_hot, tf.gather(one_hot, rows)).numpy() for rows in (list(CELLS), [*CELLS[1:], 0]))
    assert (np.abs(same) < 1e-3).all() and (moved > 100 * np.abs(same)).all()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_gradient(name: str) -> None:
    """Moving charge from one cell to another changes the independent value as the gradient says."""
    true, pred = pair(6)
    tensor = tf.constant(pred, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss = tf.reduce_sum(losses.LOSSES[name](tf.constant(true, tf.float32), tensor))
    gradient = tape.gradient(loss, tensor).numpy()
    for event in range(6):
        source, target = pred[event].argsort()[-2:]
        step = np.zeros(N_TRIGGER_CELLS)
        step[source], step[target] = -1e-6, 1e-6
        up, down = (EXPECTED[name](true[event], pred[event] + sign * step) for sign in (1, -1))
        expected = (up - down) / 2e-6
        found = gradient[event, target] - gradient[event, source]
        assert found == pytest.approx(expected, rel=0.1 if name == "sinkhorn" else 0.01, abs=1e-4), event


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_empty_maps_have_finite_gradients(name: str) -> None:
    pred = tf.constant(pair(1)[1], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pred)
        loss = losses.LOSSES[name](tf.zeros_like(pred), pred)
    assert np.isfinite(loss.numpy()).all() and np.isfinite(tape.gradient(loss, pred).numpy()).all()
