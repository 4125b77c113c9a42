"""Every loss against a computation of its own in plain loops or POT, and its gradient by differences."""

from __future__ import annotations

import typing

import numpy as np
import pytest

from models.config import LossName
from models.trigger_cells import N_TRIGGER_CELLS, SUPER_CELLS, distance_matrix, super_cell_weights
from training.data import to_trigger_cells
from training.generator import generate

tf = pytest.importorskip("tensorflow")

from training import losses  # noqa: E402  (after the check that TensorFlow is there)

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


EXPECTED = {"telescope": telescope_of, "weighted_mse": weighted_mse_of, "kernel": kernel_of, "sinkhorn": sinkhorn_of,
            "emd": emd_of}
RELATIVE = {"sinkhorn": 0.02}
"""`sinkhorn` stops after a fixed number of iterations."""


def test_every_loss_is_tested() -> None:
    assert set(EXPECTED) == set(losses.LOSSES) == set(typing.get_args(LossName))


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
