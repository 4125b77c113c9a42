"""Metrics of a received map against their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.trigger_cells import COORDINATES, PITCH, ROTATION
from training.physics.metrics import METRICS, event_metrics, fractions, telescope
from training.production.toy import generate

RNG = np.random.default_rng(7)

TRUE = generate(200, seed=5).astype(np.float64)

RECEIVED = TRUE * RNG.gamma(3.0, 0.3, TRUE.shape) * (RNG.random(TRUE.shape) < 0.7)


def moments(charge: list[float]) -> tuple[float, float, float]:
    """Centre and rms radius, cell by cell."""
    x, y = (sum(q * place[axis] for q, place in zip(charge, COORDINATES, strict=True)) / sum(charge) for axis in (0, 1))
    squared = sum(q * ((p[0] - x) ** 2 + (p[1] - y) ** 2) for q, p in zip(charge, COORDINATES, strict=True))
    return x, y, math.sqrt(squared / sum(charge))


def test_every_figure_is_its_definition() -> None:
    found = event_metrics(TRUE, RECEIVED, 2 * TRUE.sum(axis=1), 35)
    assert set(found) == set(METRICS) - {"emd"}
    unit = PITCH / 2
    for event, (true, received) in enumerate(zip(TRUE.tolist(), RECEIVED.tolist(), strict=True)):
        expected = {
            "energy_response": sum(received) / sum(true),
            "sum_response": 2.0,
            "largest_cell": received[true.index(max(true))] / max(true) - 1,
            "telescope": float(found["telescope"][event]),  # has a test of its own
        }
        above = [i for i in range(48) if true[i] > 35]
        kept = sum(received[i] > 35 for i in above) / len(above) if above else math.nan
        expected["occupancy_kept"] = kept
        if sum(received):
            (x, y, r), (x2, y2, r2) = moments(true), moments(received)
            expected |= {"centroid": math.hypot(x - x2, y - y2) / unit, "width": (r2 - r) / unit,
                         "correlation": float(np.corrcoef(true, received)[0, 1])}
        for name, value in expected.items():
            assert found[name][event] == pytest.approx(value, abs=1e-7, nan_ok=True), (name, event)


def test_telescope_is_the_training_loss() -> None:
    losses = pytest.importorskip("training.losses.charge_maps")
    true, received = fractions(TRUE), fractions(RECEIVED + 1e-3)
    expected = losses.telescope(true.astype(np.float32), received.astype(np.float32)).numpy()
    np.testing.assert_allclose(telescope(true, received), expected, rtol=2e-5, atol=2e-9)  # single precision


def test_a_perfect_map_has_perfect_figures() -> None:
    best = {"low": 0.0, "zero": 0.0, "high": 1.0, "one": 1.0}
    found = event_metrics(TRUE, TRUE, TRUE.sum(axis=1), 35)
    for name, values in found.items():
        np.testing.assert_allclose(values[np.isfinite(values)], best[METRICS[name].best], atol=1e-6, err_msg=name)


def test_turning_both_maps_changes_nothing() -> None:
    # Of two largest cells the first one counts, so only modules with one largest cell can be turned.
    alone = np.equal(TRUE, TRUE.max(axis=1, keepdims=True)).sum(axis=1) == 1
    true, received = TRUE[alone], RECEIVED[alone]
    before = event_metrics(true, received, true.sum(axis=1), 35)
    after = event_metrics(true[:, ROTATION], received[:, ROTATION], true.sum(axis=1), 35)
    for name in before:
        np.testing.assert_allclose(before[name], after[name], atol=1e-5, err_msg=name)


def test_an_empty_map_has_no_place_but_an_energy() -> None:
    found = event_metrics(TRUE[:1], np.zeros((1, 48)), np.array([np.nan]), 0)
    assert found["energy_response"][0] == 0 and found["largest_cell"][0] == -1 and found["occupancy_kept"][0] == 0
    for name in ("centroid", "width", "correlation", "telescope", "sum_response"):
        assert np.isnan(found[name][0]), name
