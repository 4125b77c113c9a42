"""The figures per module against their definitions cell by cell, their errors against statistics, and the wafer."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from models.trigger_cells import COORDINATES, PITCH, ROTATION
from training.physics.metrics import METRICS, event_metrics, fractions, telescope
from training.physics.statistics import Bootstrap, bin_edges, bin_numbers, profile
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


def test_bootstrap_error_is_that_of_a_mean() -> None:
    values = RNG.normal(3.0, 2.0, (4000, 2))
    values[::5, 1] = np.nan
    mean, error = Bootstrap(len(values), 400).mean_and_error(values)
    np.testing.assert_allclose(mean, np.nanmean(values, axis=0))
    expected = np.nanstd(values, axis=0) / np.sqrt(np.isfinite(values).sum(axis=0))
    np.testing.assert_allclose(error, expected, rtol=0.15)


def test_resamples_are_paired_and_do_not_depend_on_how_many_are_in_memory() -> None:
    values = RNG.normal(size=(500, 1))
    a, b = Bootstrap(500, 50).means(values), Bootstrap(500, 50).means(values + 1)
    np.testing.assert_allclose(b - a, 1.0, rtol=0, atol=1e-12, err_msg="the difference of equal modules has no error")
    np.testing.assert_allclose(Bootstrap(500, 50, at_once=700).means(values), a, rtol=1e-9)
    assert not np.array_equal(Bootstrap(500, 50, seed=2).means(values), a)


def test_bins_hold_everything_once() -> None:
    coordinate = RNG.poisson(3.0, 1000).astype(float)
    edges = bin_edges(coordinate, 8)
    bins = bin_numbers(coordinate, edges)
    for number in range(len(edges) - 1):
        inside = coordinate[bins == number]
        assert (inside >= edges[number]).all() and (inside <= edges[number + 1]).all()
    assert bins.min() == 0 and bins.max() == len(edges) - 2
    assert not len(bin_edges(np.full(10, 2.0), 8)), "one value makes no bin"


def test_profile_takes_the_mean_of_each_bin() -> None:
    values, bins = RNG.normal(size=(300, 2, 3)), RNG.integers(-1, 4, 300)
    mean, error = profile(values, bins, 5, Bootstrap(300, 100))
    for number in range(4):
        np.testing.assert_allclose(mean[number], values[bins == number].mean(axis=0))
    assert np.isnan(mean[4]).all() and np.isnan(error[4]).all(), "nothing in the last bin"
    assert (error[:4] > 0).all()


def test_trigger_cells_tile_the_wafer() -> None:
    wafer = pytest.importorskip("training.figures.wafer")
    cells = wafer.sensor_cells().reshape(-1, 2)
    distance = np.hypot(*(cells[:, None] - cells[None]).transpose(2, 0, 1)) / (PITCH / 2)
    np.testing.assert_allclose(distance[~np.eye(192, dtype=bool)].min(), 1.0, atol=1e-5)
    outlines = wafer.outlines()
    assert [len(outline) for outline in outlines] == [14] * 48, "a 2x2 rhombus of hexagons has 14 corners"
    area = [0.5 * abs(np.dot(o[:, 0], np.roll(o[:, 1], 1)) - np.dot(o[:, 1], np.roll(o[:, 0], 1))) for o in outlines]
    np.testing.assert_allclose(area, 4 * math.sqrt(3) / 2 * (PITCH / 2) ** 2, rtol=2e-3)
    # No gap: every edge is shared by two trigger cells or lies on the rim, and the rim is one closed line of 2 x 3 x 16
    # edges less at the corners, so that what is inside has no hole.
    corners = Counter(tuple(np.round(corner, 2)) for outline in outlines for corner in outline)
    edges = Counter(frozenset(map(tuple, np.round([a, b], 2).tolist()))
                    for o in outlines for a, b in zip(o, np.roll(o, -1, axis=0), strict=True))
    assert set(edges.values()) == {1, 2}
    rim = [edge for edge, times in edges.items() if times == 1]
    degree = Counter(corner for edge in rim for corner in edge)
    assert set(degree.values()) == {2}
    n_regions = 2 - len(corners) + len(edges)  # Euler: faces, the outside among them
    assert n_regions == 48 + 1, "48 trigger cells and nothing between them"
