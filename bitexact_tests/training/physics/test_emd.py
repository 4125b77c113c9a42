"""The EMD against POT's own entry point on the full maps, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.trigger_cells import ROTATION, distance_matrix
from training.physics.emd import emd, emd_and_potential
from training.production.toy import generate

CHARGES = hnp.arrays(np.float64, (3, 48), elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, 35.0, 4000.0, 0.37]))


def direct(true: np.ndarray, pred: np.ndarray) -> float:
    """POT on the cells with charge, nothing cancelled."""
    import ot

    a, b = true / true.sum(), pred / pred.sum()
    cost = np.ascontiguousarray(distance_matrix()[np.ix_(a > 0, b > 0)])
    return float(ot.emd2(a[a > 0], b[b > 0] / b.sum(), cost))


def one_alone(true: np.ndarray, pred: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and potential of one pair, only the differences moved."""
    from ot.lp.emd_wrap import emd_c

    surplus = true / true.sum() - pred / pred.sum()
    source, target = np.flatnonzero(surplus > 0), np.flatnonzero(surplus < 0)
    if not len(source):
        return 0.0, np.zeros(48)
    supply, demand = surplus[source], -surplus[target]
    cost = distance_matrix()[np.ix_(source, target)]
    _, value, _, potential, _ = emd_c(supply, demand * (supply.sum() / demand.sum()), cost, 100_000, 1)
    return value, (distance_matrix()[:, target] - potential).min(axis=1)


def test_modules_together_equal_each_alone_to_the_last_bit() -> None:
    rng = np.random.default_rng(5)
    true = rng.choice([0, 0, 1, 7, 0.37, 4000], (200, 48)) + 0.0
    pred = np.where(rng.random((200, 48)) < rng.random((200, 1)), rng.random((200, 48)), true)
    true[0], pred[1], pred[2], true[-1] = 0, 0, 3 * true[2], 0
    value, potential = emd_and_potential(true, pred)
    distance = emd(true, pred)
    for row, (t, p) in enumerate(zip(true, pred, strict=True)):
        there = t.any() and p.any()
        expected, slope = one_alone(t, p) if there else (0.0, np.zeros(48))
        assert (value[row], distance[row] if there else 0.0) == (expected, expected)
        np.testing.assert_array_equal(potential[row], slope)
    assert np.isnan(distance[[0, 1, -1]]).all() and value[2] < 1e-12


def test_distances_are_in_the_order_of_the_maps() -> None:
    true, pred = generate(1100, 1), generate(1100, 2)
    whole = emd(true, pred, n_processes=1)
    for row in (0, 511, 512, 1099):
        np.testing.assert_array_equal(whole[row : row + 1], emd(true[row : row + 1], pred[row : row + 1]))


@settings(max_examples=60, deadline=None)
@given(CHARGES, CHARGES)
def test_equals_pot(true: np.ndarray, pred: np.ndarray) -> None:
    for value, t, p in zip(emd(true, pred), true, pred, strict=True):
        if not (t.any() and p.any()):
            assert np.isnan(value)
        else:
            assert value == pytest.approx(direct(t, p), abs=1e-9)


def test_busy_maps_equal_pot() -> None:
    true = generate(300, seed=1).astype(float)
    pred = np.random.default_rng(1).random((300, 48)) ** 3 + true / true.sum(axis=1, keepdims=True)
    expected = [direct(t, p) for t, p in zip(true, pred, strict=True)]
    np.testing.assert_allclose(emd(true, pred), expected, rtol=0, atol=1e-9)


def test_known_answers() -> None:
    one_hot = np.eye(48)
    moved = np.roll(one_hot, 1, axis=0)
    np.testing.assert_allclose(emd(one_hot, moved), [distance_matrix()[i, i - 1] for i in range(48)], atol=1e-9)
    assert emd(one_hot[:1], one_hot[1:2])[0] == pytest.approx(2.0, abs=1e-6), "neighbours are two sensor cells apart"
    np.testing.assert_array_equal(emd(one_hot, 7 * one_hot), 0)
    nothing = np.zeros((1, 48))
    for true, pred in ((nothing, nothing), (nothing, one_hot[:1]), (one_hot[:1], nothing)):
        np.testing.assert_array_equal(emd(true, pred), np.nan)


def test_symmetric_and_the_same_after_a_turn() -> None:
    true, pred = np.split(generate(100, seed=3).astype(float), 2)
    np.testing.assert_allclose(emd(true, pred), emd(pred, true), atol=1e-9)
    np.testing.assert_allclose(emd(true, pred), emd(true[:, ROTATION], pred[:, ROTATION]), atol=1e-6)


def test_processes_give_the_same_in_order() -> None:
    true, pred = np.split(generate(3000, seed=4).astype(float), 2)
    seen = []

    def note(chunks, total):  # type: ignore[no-untyped-def]
        for chunk in chunks:
            seen.append(len(chunk))
            yield chunk

    np.testing.assert_array_equal(emd(true, pred, n_processes=2, progress=note), emd(true, pred, n_processes=1))
    assert sum(seen) == 1500 and len(seen) > 1


@pytest.mark.parametrize(("true", "pred"), [
    (np.zeros((2, 47)), np.zeros((2, 48))), (np.zeros((2, 48)), np.zeros((3, 48))), (np.zeros(48), np.zeros(48)),
    (np.full((1, 48), -1.0), np.ones((1, 48))), (np.ones((1, 48)), np.full((1, 48), np.nan)),
])
def test_bad_maps_are_refused(true: np.ndarray, pred: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"true|pred"):
        emd(true, pred)


def test_no_events() -> None:
    nothing = np.empty((0, 48))
    found = [emd(nothing, nothing), *emd_and_potential(nothing, nothing)]
    assert [part.shape for part in found] == [(0,), (0,), (0, 48)]
