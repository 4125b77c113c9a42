"""Clusters of hand-made events, in closed form."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bitexact_tests.samples.trigger import busy, hand_made
from training.production.geometry import trigger_layers
from training.trigger.cells import Cells, cells, energy_per_mip, positions
from training.trigger.clusters import cluster, longest_run, nearest_seed
from training.trigger.seeds import CELL_AREA, Seeds, bin_area, bin_numbers, enter, find_seeds, smooth
from training.trigger.system import ClusterSettings

PUBLISHED = ClusterSettings()


def at(rz: float, phi: float) -> tuple[float, float]:
    return rz * np.cos(phi), rz * np.sin(phi)


def middle(row: int, column: int) -> tuple[float, float]:
    """Position in the middle of a bin."""
    low, high = PUBLISHED.rz_range
    return at(low + (row + 0.5) * (high - low) / 42, ((column + 0.5) / 216 - 0.5) * 2 * np.pi)


def test_published_settings() -> None:
    assert [PUBLISHED.phi_windows[row] for row in (0, 1, 3, 4, 6, 7, 12, 13, 27, 28, 41)] == [
        13, 11, 11, 9, 9, 7, 7, 5, 5, 3, 3]
    radii = dict(enumerate(PUBLISHED.radii, start=1))
    assert [radii[layer] for layer in (1, 7, 8, 14, 15, 21, 22, 28, 29, 34, 35, 50)] == [
        0.015, 0.015, 0.020, 0.020, 0.030, 0.030, 0.040, 0.040, 0.040, 0.040, 0.050, 0.050]
    assert (PUBLISHED.n_rz, PUBLISHED.n_phi, PUBLISHED.seed_threshold, PUBLISHED.cells_per_bin) == (42, 216, 10.0, 80)


def test_area_of_a_trigger_cell() -> None:
    """As published with the seeding, 4.91e-5."""
    assert pytest.approx(4.91e-5, rel=0.01) == CELL_AREA


def test_cells_from_a_charge_on() -> None:
    """From a MIP on, 35 CALQ; a cell without a charge is none, whatever the least charge."""
    events = busy()
    found = cells(events, events.calq.astype(np.float32), 1.0)
    expected = events.calq[events.calq >= 35]
    assert 0 < len(expected) < (events.calq > 0).sum()
    assert_array_equal(found.charge, (expected / 35).astype(np.float32))
    assert len(cells(events, events.calq.astype(np.float32))) == (events.calq > 0).sum()


def test_a_flat_density_stays_flat() -> None:
    """Whatever the windows and areas of the rows, and at both edges of r/z."""
    flat = np.broadcast_to(3.0 * bin_area(PUBLISHED)[:, None] / CELL_AREA, (2, 42, 216))
    assert_allclose(smooth(flat, PUBLISHED), 3.0, rtol=1e-12)


@pytest.mark.parametrize("row", [0, 2, 5, 9, 20, 35, 41])
def test_weights_halve_in_phi_and_neighbours_in_rz_have_half(row: int) -> None:
    histogram = np.zeros((1, 42, 216))
    histogram[0, row, 3] = 1.0
    half = PUBLISHED.phi_windows[row] // 2
    expected = np.zeros((42, 216))
    norm = (1 + 2 * sum(0.5**d for d in range(1, half + 1))) * bin_area(PUBLISHED)[row] / CELL_AREA
    for distance in range(-half, half + 1):
        for other in {row - 1, row, row + 1} & set(range(42)):
            there = 1.5 if other in (0, 41) else 2.0
            expected[other, (3 + distance) % 216] = 0.5 ** abs(distance) / norm * (1.0 if other == row else 0.5) / there
    assert_allclose(smooth(histogram, PUBLISHED)[0], expected, rtol=1e-12, atol=0)


def seeds_of(cells: Cells, settings: ClusterSettings = PUBLISHED) -> Seeds:
    return find_seeds(*enter(cells, settings), settings)


def charge_for(density: float, row: int) -> float:
    """Charge in one bin whose smoothed value is a density."""
    half = PUBLISHED.phi_windows[row] // 2
    return density * 2 * (1 + 2 * sum(0.5**d for d in range(1, half + 1))) * bin_area(PUBLISHED)[row] / CELL_AREA


@pytest.mark.parametrize(("density", "n_seeds"), [(9.99, 0), (10.01, 1)])
def test_threshold_of_seeds(density: float, n_seeds: int) -> None:
    assert len(seeds_of(hand_made((*middle(20, 100), 9, charge_for(density, 20))))) == n_seeds


def test_seed_is_at_the_mean_of_its_bin() -> None:
    x, y = middle(20, 100)
    seeds = seeds_of(hand_made((x, y, 9, 300.0), (x + 0.001, y - 0.001, 31, 100.0)))
    assert len(seeds) == 1
    assert_allclose((seeds.x[0], seeds.y[0]), (x + 0.00025, y - 0.00025), rtol=1e-9)


def test_one_seed_of_equal_neighbours() -> None:
    for other in [(20, 101), (21, 100), (21, 101), (21, 99)]:
        assert len(seeds_of(hand_made((*middle(20, 100), 9, 500.0), (*middle(*other), 9, 500.0)))) <= 1, other
    assert len(seeds_of(hand_made((*middle(20, 100), 9, 500.0), (*middle(20, 101), 9, 500.0)))) == 1


def test_seeds_beside_each_other_over_the_border_of_phi() -> None:
    """Column 215 lies beside column 0: one maximum, not two."""
    assert len(seeds_of(hand_made((*middle(20, 215), 9, 500.0), (*middle(20, 0), 9, 400.0)))) == 1
    assert len(seeds_of(hand_made((*middle(20, 212), 9, 500.0), (*middle(20, 3), 9, 400.0)))) == 2


def test_seeds_of_different_endcaps_and_events_do_not_meet() -> None:
    one, two = (hand_made((*middle(20, 100), 9, 500.0), n_groups=4, group=group) for group in (1, 2))
    both = Cells(4, *(np.concatenate([getattr(part, name) for part in (one, two)])
                      for name in ("group", "x", "y", "layer", "charge")))
    assert_array_equal(seeds_of(both).group, [1, 2])


def test_bins_hold_what_lies_in_them() -> None:
    for row, column in [(0, 0), (20, 100), (41, 215), (7, 108)]:
        assert bin_numbers(*np.array([middle(row, column)]).T, PUBLISHED)[0] == row * 216 + column
    outside = np.array([at(0.07, 1.0), at(0.59, 1.0)])
    assert_array_equal(bin_numbers(*outside.T, PUBLISHED), -1)


def test_the_largest_cells_of_a_bin_are_used() -> None:
    x, y = middle(20, 100)
    charges = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    cells = hand_made(*((x, y, 9, charge) for charge in charges), (*middle(3, 3), 9, 0.5))
    used, bins = enter(cells, PUBLISHED)
    assert_array_equal(np.sort(used.charge), [0.5, *np.arange(21.0, 101.0)])
    assert set(bins) == {20 * 216 + 100, 3 * 216 + 3}
    assert len(enter(cells, PUBLISHED.model_copy(update={"cells_per_bin": None}))[0]) == 101


@pytest.mark.parametrize(("layer", "radius"), [(1, 0.015), (9, 0.02), (21, 0.03), (27, 0.04), (33, 0.04), (36, 0.05)])
def test_cells_within_the_radius_of_their_layer(layer: int, radius: float) -> None:
    x, y = middle(20, 100)
    found = [cluster(hand_made((x, y, 9, 900.0), (x + distance, y, layer, 2.0)), 0, PUBLISHED).n_cells.tolist()
             for distance in (radius * 0.999, radius * 1.001)]
    assert found == [[2], [1]]


def test_cells_go_to_the_nearest_seed_of_their_group() -> None:
    rng = np.random.default_rng(2)
    cells = Cells(3, rng.integers(3, size=500), *rng.uniform(-0.2, 0.2, (2, 500)), np.full(500, 9), np.ones(500))
    seeds = Seeds(np.repeat([0, 2], 20), *rng.uniform(-0.2, 0.2, (2, 40)), np.ones(40))
    owner, distance = nearest_seed(cells, seeds, 0.05)
    for row in range(500):
        far = np.hypot(seeds.x - cells.x[row], seeds.y - cells.y[row])
        far[seeds.group != cells.group[row]] = np.inf
        assert owner[row] == (far.argmin() if far.min() <= 0.05 else -1)
        assert not np.isfinite(distance[row]) or distance[row] == pytest.approx(far.min())


def test_sums_positions_and_shapes() -> None:
    x, y = middle(20, 100)
    cells = hand_made((x, y, 7, 300.0), (x, y + 0.004, 9, 300.0), (x, y, 11, 0.9), (x, y, 31, 4.0), (x, y, 32, 3.0))
    found = cluster(cells, 40, PUBLISHED)
    weight = energy_per_mip()
    assert found.pt.tolist() == pytest.approx(
        [300 * weight[7] + 300 * weight[9] + 0.9 * weight[11] + 4 * weight[31] + 3 * weight[32]])
    assert (found.event[0], found.endcap[0], found.n_cells[0]) == (40, 0, 5)
    assert_allclose(found.layer_charge[0, np.isin(trigger_layers(), (7, 9, 11, 31, 32))], [300, 300, 0.9, 4, 3])
    assert found.layer_charge.sum() == pytest.approx(607.9)
    mean = np.array([x, y + 0.004 * 300 / 607.9])
    assert found.eta[0] == pytest.approx(-np.arcsinh(1 / np.hypot(*mean)))
    assert found.phi[0] == pytest.approx(np.arctan2(*mean[::-1]))
    # The cell of 0.9 does not count in the shape; layer 11 between 9 and 29 is empty there.
    assert (found.first_layer[0], found.last_layer[0], found.core[0]) == (7, 32, 2)
    assert found.peak[0] == pytest.approx(300 / 607) and found.hadronic[0] == pytest.approx(7 / 607.9)
    share = 300 / 607
    assert found.width[0] == pytest.approx(0.004 * np.sqrt(share * (1 - share)))
    depth = np.flatnonzero(np.isin(trigger_layers(), (7, 9, 31, 32)))
    charge = np.array([300.0, 300.0, 4.0, 3.0])
    centre = np.average(depth, weights=charge)
    assert found.spread[0] == pytest.approx(np.sqrt(np.average((depth - centre) ** 2, weights=charge)))


def test_shapes_are_of_cells_near_the_seed() -> None:
    """A cell further off than 0.015 is one of the cluster all the same, if its layer has a larger radius."""
    x, y = middle(20, 100)
    found = cluster(hand_made((x, y, 7, 300.0), (x, y + 0.014, 9, 5.0), (x, y + 0.016, 31, 5.0)), 0, PUBLISHED)
    assert found.n_cells.tolist() == [3] and found.layer_charge.sum() == pytest.approx(310)
    assert (found.first_layer[0], found.last_layer[0], found.core[0]) == (7, 9, 2)
    assert found.width[0] == pytest.approx(0.014 * np.sqrt(300 * 5) / 305)


def test_clusters_below_the_least_momentum_are_left_out() -> None:
    charge = charge_for(11.0, 41)
    cells = hand_made((*middle(41, 50), 1, charge))
    pt = charge * energy_per_mip()[1]
    for least, n in ((pt * 0.99, 1), (pt * 1.01, 0)):
        assert len(cluster(cells, 0, PUBLISHED.model_copy(update={"least_pt": least}))) == n


def test_no_cells_no_clusters() -> None:
    found = cluster(hand_made(), 0, PUBLISHED)
    assert all(len(getattr(found, field.name)) == 0 for field in fields(found))


def test_longest_run() -> None:
    rows = np.random.default_rng(3).random((200, 36)) < 0.6
    expected = [max(map(len, "".join("x" if there else " " for there in row).split()), default=0) for row in rows]
    assert_array_equal(longest_run(rows), expected)


def test_a_module_is_where_its_particles_go() -> None:
    """Cells of the same module number on both sides, seen from the collision point, are images in x."""
    here = positions()
    assert_array_equal(here.x[0], -here.x[1])
    assert_array_equal(here.y[0], here.y[1])
    eta = np.arcsinh(1 / np.hypot(here.x[1], here.y[1]))
    assert 1.4 < eta.min() < 1.6 and 2.9 < np.quantile(eta, 0.999) < 3.3


def test_weights_are_the_loss_in_the_absorber() -> None:
    """Layers 1 to 28 lose as much as all 28 absorbers, though every other one is read."""
    weight = energy_per_mip()
    # The absorber of layer 28 stands before layer 29, the next one that is read.
    assert weight[:29].sum() == pytest.approx(25.2 * 0.0085 * 27 / 28)
    assert weight[2] == 0 and weight[3] == pytest.approx(2 * weight[1])
    assert weight.sum() == pytest.approx(25.2 * 0.0085 + 11 * (2.4 + 4.3) * 0.0215)
