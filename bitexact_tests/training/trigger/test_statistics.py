"""Widths, errors, matching, calibration, rates and identification, on numbers made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from training.production.geometry import trigger_layers
from training.trigger.calibration import fit, fit_line, halves, nominal
from training.trigger.clusters import Clusters
from training.trigger.events import Truth
from training.trigger.identification import area, background_at, identification, shapes
from training.trigger.matching import delta_phi, match
from training.trigger.objects import PT_EDGES, Folds, Objects, energy_terms, quality
from training.trigger.rates import Resampled, largest, possible_rates, rate_curve, threshold_at
from training.trigger.statistics import Resampling, binned, effective_width, measured, median, relative_width

RNG = np.random.default_rng(11)
_START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _same_numbers_in_every_test() -> None:
    RNG.bit_generator.state = _START


def test_effective_width() -> None:
    assert effective_width(RNG.normal(3, 2, 100_000)) == pytest.approx(2, rel=0.02)
    assert effective_width(np.arange(1001.0)) == pytest.approx(0.683 * 1001 / 2, abs=1)
    tail = np.concatenate([np.zeros(69), np.full(31, 1e6)])
    assert effective_width(tail) == 0
    assert np.isnan(effective_width(np.arange(4.0)))
    assert relative_width(np.array([8.0, 9.0, 10.0, 11.0, 12.0])) == pytest.approx(0.15)


def test_error_of_a_mean_is_that_of_independent_events() -> None:
    values = RNG.normal(0, 1, 900)
    found = Resampling(900, n_resamples=400).measure(lambda x: float(x.mean()), values, np.arange(900))
    assert found.error == pytest.approx(1 / 30, rel=0.15)


def test_events_are_resampled_whole() -> None:
    """Ten equal values of one event are worth one."""
    event = np.repeat(np.arange(90), 10)
    values = RNG.normal(0, 1, 90)[event]
    found = Resampling(90, n_resamples=400).measure(lambda x: float(x.mean()), values, event)
    assert found.error == pytest.approx(values.std() / np.sqrt(90), rel=0.15)
    for rows in Resampling(90, n_resamples=3).draws(event):
        assert_array_equal(np.bincount(event[rows], minlength=90) % 10, 0)


def test_systems_are_resampled_alike() -> None:
    first, second = Resampling(50).draws(np.arange(50)), Resampling(50).draws(np.repeat(np.arange(50), 2))
    assert_array_equal(first[7], second[7][::2] // 2)


def test_a_width_relative_to_nothing_is_absent() -> None:
    """Of clusters that are on average below the offset, which would have a negative resolution."""
    values = np.linspace(-3, 1, 50)
    assert np.isnan(relative_width(values)) and relative_width(values + 5) == pytest.approx(effective_width(values) / 4)


def test_absent_is_left_out_of_an_error() -> None:
    assert measured(1.0, [1.0, float("nan"), 3.0]).error == pytest.approx(np.sqrt(2), rel=1e-5)
    assert measured(float("nan"), []).value is None and str(measured(float("nan"), [])) == "-"


def test_bins() -> None:
    position = np.array([1.0, 2.0, 2.5, 3.0, 9.0])
    found = binned(lambda x: float(len(x)), position, np.arange(5), Resampling(5), coordinate="pt", position=position,
                   edges=(1.0, 2.0, 3.0))
    assert [one.value for one in found.values] == [1, 2] and found.middles == (1.5, 2.5)


def test_bins_include_their_lower_edge_alone() -> None:
    position = np.array([1.0, 2.0, 2.0, 3.0])
    found = binned(lambda x: float(len(x)), position, np.arange(4), Resampling(4), coordinate="pt", position=position,
                   edges=(1.0, 2.0, 3.0))
    assert [one.value for one in found.values] == [1, 2]


def test_match_is_the_one_with_the_most_within_the_radius() -> None:
    event, to_event = RNG.integers(20, size=40), RNG.integers(20, size=300)
    eta, to_eta = RNG.uniform(1.5, 2, 40), RNG.uniform(1.5, 2, 300)
    phi, to_phi = RNG.uniform(-np.pi, np.pi, 40), RNG.uniform(-np.pi, np.pi, 300)
    phi[:20], to_phi[:150] = np.pi - 0.01, -np.pi + 0.02
    pt = RNG.random(300)
    found = match(event, eta, phi, to_event=to_event, to_eta=to_eta, to_phi=to_phi, to_pt=pt)
    for i in range(40):
        near = (to_event == event[i]) & (np.hypot(to_eta - eta[i], delta_phi(to_phi, phi[i])) < 0.1)
        assert found[i] == (np.where(near, pt, -1).argmax() if near.any() else -1)
    assert (found >= 0).any() and (found < 0).any()


def test_delta_phi_wraps() -> None:
    assert_allclose(delta_phi(np.array([3.1, -3.1, 1.0]), np.array([-3.1, 3.1, 0.5])),
                    [6.2 - 2 * np.pi, 2 * np.pi - 6.2, 0.5])


def showers(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layer charges, eta and true momentum of clusters whose calibration is known."""
    eta, pt = RNG.uniform(1.6, 2.9, n), RNG.uniform(2, 100, n)
    shape = RNG.gamma(2.0, 1.0, (n, len(trigger_layers())))
    factor = np.where(np.arange(len(trigger_layers())) % 2 == 0, 1.3, 0.8)
    factor[trigger_layers() > 28] = 1.0
    shape[:, trigger_layers() > 28] *= 0.01
    per_gev = shape @ (factor * nominal().weights)
    return shape * ((pt + 2.0 + 3.0 * eta) / per_gev)[:, None], eta, pt


def test_calibration_finds_weights_and_offset() -> None:
    charge, eta, pt = showers(3000)
    found = fit(charge, eta, pt)
    assert_allclose(found.pt(charge, eta), pt, rtol=0.03, atol=0.5)
    assert_array_equal(found.pt(charge, -eta), found.pt(charge, eta), "the other endcap")
    assert found.offset == pytest.approx(2, abs=0.6) and found.slope == pytest.approx(3, abs=0.3)
    ratio = found.weights / nominal().weights
    assert ratio[4:14:2].mean() / ratio[5:14:2].mean() == pytest.approx(1.3 / 0.8, rel=0.1)


def test_calibration_with_the_loss_in_the_absorber_has_one_factor_for_all_layers() -> None:
    """Of showers that obey other weights, too; the offset is fitted all the same."""
    weights = 1.3 * nominal().weights
    layer_charge, eta = RNG.exponential(20, (500, len(weights))), RNG.uniform(1.6, 2.9, 500)
    pt = layer_charge @ weights - 2.0 - 3.0 * eta
    found = fit(layer_charge, eta, pt, "dE/dx")
    assert_allclose(found.weights, weights, rtol=0.01)
    assert_allclose(found.pt(layer_charge, eta), pt, rtol=0.01)
    other = fit(layer_charge, eta, layer_charge @ (weights * RNG.uniform(0.5, 1.5, len(weights))), "dE/dx")
    assert_allclose(other.weights / nominal().weights, other.weights[0] / nominal().weights[0])


def test_calibration_is_not_led_by_clusters_of_others() -> None:
    charge, eta, pt = showers(1000)
    spoilt = charge.copy()
    spoilt[::25] *= 5
    assert_allclose(fit(spoilt, eta, pt).pt(charge, eta), pt, rtol=0.05, atol=1.0)


def test_calibration_of_few_clusters_stays_near_that_of_a_mip() -> None:
    charge, eta, pt = showers(4)
    ratio = fit(charge, eta, pt).weights / nominal().weights
    assert (ratio > 0).all() and ratio.max() / ratio.min() < 2
    assert fit(charge[:0], eta[:0], pt[:0]).offset == 0


def test_line_of_sums() -> None:
    eta, pt = RNG.uniform(1.8, 2.6, 500), RNG.uniform(20, 80, 500)
    raw = (pt + 4 + 5 * eta) / 1.25
    assert_allclose(fit_line(raw, eta, pt)(raw, eta), pt, rtol=0.02)
    assert_array_equal(fit_line(raw[:0], eta[:0], pt[:0])(raw, eta), raw)


def test_line_of_wide_sums_keeps_the_response() -> None:
    """Sums that lie as often one step above their line as below it: the mean of each momentum is on the line.

    Fitted the other way round, the slope would be smaller by the share of the variance that is the momentum's.
    """
    pt, eta, step = (one.ravel() for one in np.meshgrid([25.0, 40.0, 60.0, 80.0], np.linspace(1.8, 2.6, 25), [-20, 20]))
    raw = (pt + 4 + 5 * eta + step) / 1.25
    found = fit_line(raw, eta, pt)(raw, eta)
    for one in (25.0, 40.0, 60.0, 80.0):
        assert found[pt == one].mean() == pytest.approx(one, rel=0.02)
    assert np.polyfit(found, pt, 1)[0] == pytest.approx(pt.var() / (pt.var() + 400), rel=0.05)  # why not this one


def test_line_of_sums_without_a_slope_is_finite() -> None:
    eta, pt = RNG.uniform(1.8, 2.6, 50), RNG.uniform(20, 80, 50)
    raw = 100 - pt
    assert np.abs(fit_line(raw, eta, pt)(raw, eta)).max() < 20 * raw.max()


def clusters_of(charge: np.ndarray, eta: np.ndarray, event: np.ndarray) -> Clusters:
    number = np.zeros(len(eta), np.int64)
    zero = np.zeros(len(eta))
    return Clusters(event, number, charge @ nominal().weights, eta, zero, charge, number, number, number, number, zero,
                    zero, zero, zero)


@pytest.mark.parametrize(("event", "said"), [([0, 2], "momenta of even events are not"), ([0, 1], ""),
                                             ([1], "momenta of odd events are not"), ([], "momenta of all are not")])
def test_a_half_without_particles_is_told(event: list[int], said: str, caplog: pytest.LogCaptureFixture) -> None:
    even, odd = halves(np.array(event, dtype=np.int64))
    assert len(even) + len(odd) == len(event) and said in caplog.text and bool(said) == bool(caplog.records)


def test_no_event_is_calibrated_by_itself() -> None:
    charge, eta, pt = showers(200)
    event = np.arange(200)
    clusters = clusters_of(charge, eta, event)
    truth = Truth(event, np.ones(200, np.int64), event, pt, eta, np.zeros(200))
    changed = Truth(event, truth.side, event, np.where(event % 2 == 0, 3 * pt, pt), eta, truth.phi)
    first, second = Folds.of(clusters, truth).pt(clusters), Folds.of(clusters, changed).pt(clusters)
    even, odd = halves(event)
    assert_array_equal(first[even], second[even])
    assert_allclose(second[odd], 3 * first[odd], rtol=0.25, atol=30)
    assert not np.allclose(second[odd], first[odd], rtol=0.5)


def objects(n: int = 400) -> Objects:
    """Matched objects of response 0.9 and resolution 10%, the last tenth without a match."""
    pt, eta = RNG.uniform(2, 100, n), RNG.uniform(1.6, 2.9, n)
    matched = np.where(np.arange(n) < 0.9 * n, np.arange(n), -1)
    return Objects(np.arange(n), pt, eta, np.zeros(n), matched, pt * RNG.normal(0.9, 0.09, n),
                   eta + RNG.normal(0, 0.01, n), RNG.normal(0, 0.02, n))


def test_quality() -> None:
    found = quality(objects(4000), Resampling(4000, 20))
    assert found.response.value == pytest.approx(0.9, rel=0.01)
    assert found.resolution.value == pytest.approx(0.1, rel=0.05)
    assert found.eta.value == pytest.approx(0.01, rel=0.05) and found.phi.value == pytest.approx(0.02, rel=0.05)
    assert found.efficiency.value == pytest.approx(0.9, abs=0.02)
    assert len(found.binned("pt").values) == 6 and len(found.binned("eta", "response").values) == 4
    assert all(one.value == pytest.approx(0.9, rel=0.05) for one in found.binned("pt", "response").values)


def test_terms_of_the_energy_resolution() -> None:
    energy = RNG.uniform(20, 700, 40_000)
    ratio = RNG.normal(1, np.sqrt(0.2**2 / energy + 0.01**2))
    assert energy_terms(ratio, energy) == pytest.approx((0.2, 0.01), rel=0.1)
    assert np.isnan(energy_terms(ratio[:3], energy[:3])).all()


def test_largest_of_each_event() -> None:
    assert_array_equal(largest(np.array([2, 0, 2]), np.array([5.0, 1.0, 7.0]), 4), [1, 0, 7, 0])


def test_threshold_leaves_the_rate() -> None:
    top = RNG.permutation(np.arange(1.0, 1001.0))
    for rate in (0.1, 0.01):
        assert (top > threshold_at(top, rate)).mean() == pytest.approx(rate)
    assert possible_rates(100) == [0.1] and possible_rates(1000) == [0.1, 0.03, 0.01]


def test_a_rate_that_no_threshold_gives_is_absent() -> None:
    """Of 400 events with 30 objects: a tenth of them is above nothing, so there is no comparison at equal rate."""
    here, top = objects(), np.where(np.arange(400) < 30, 20.0 + np.arange(400), 0.0)
    assert np.isnan(threshold_at(top, 0.1)) and threshold_at(top, 0.05) == 29
    one = Resampled(top, here, 0.1, Resampling(400, 20), 10.0)
    point = one.point()
    assert np.isnan(one.efficiency)
    for value in (point.threshold, point.efficiency, *point.turn_on.values):
        assert (value.value, value.error) == (None, None)


def test_rates_fall_with_the_threshold() -> None:
    top = RNG.exponential(10, 500)
    curve = rate_curve(top, Resampling(500, 20))
    values = [one.value for one in curve.rates]
    assert values == [pytest.approx((top > threshold).mean()) for threshold in curve.thresholds]
    assert values == sorted(values, reverse=True)


def test_efficiency_at_a_rate() -> None:
    here, top = objects(), RNG.uniform(0, 60, 400)
    one = Resampled(top, here, 0.1, Resampling(400, 30), 10.0)
    wanted = here.pt > 10
    passes = wanted & (here.matched >= 0) & (here.found_pt > one.threshold)
    point = one.point()
    assert point.efficiency.value == pytest.approx(passes.sum() / wanted.sum(), rel=1e-5)
    assert point.threshold.value == pytest.approx(threshold_at(top, 0.1), rel=1e-5)
    # Of a uniform spectrum, the order statistic at 90% has the width 60 sqrt(0.1 0.9 / 400).
    assert point.threshold.error == pytest.approx(60 * np.sqrt(0.1 * 0.9 / 400), rel=0.5)
    turn_on = [value.value for value in point.turn_on.values]
    found = (here.matched >= 0) & (here.found_pt > one.threshold)
    for low, high, value in zip(PT_EDGES, PT_EDGES[1:], turn_on, strict=False):
        inside = (here.pt >= low) & (here.pt < high)
        assert value == pytest.approx(found[inside].mean(), rel=1e-5), f"{low:g} GeV"
    assert turn_on[1] == 0 and turn_on[-1] == pytest.approx(0.9, abs=0.1)
    assert point.efficiency.error is not None and 0 < point.efficiency.error < 0.1


def test_turn_on_of_few_objects_is_absent() -> None:
    """Each resample of one object passes, or none does: an error of 0 would look as if it were known."""
    few = objects(30)
    point = Resampled(RNG.uniform(0, 60, 30), few, 0.1, Resampling(30, 20), 10.0).point()
    n = np.histogram(few.pt, PT_EDGES)[0]
    for field in ("value", "error"):
        absent = [getattr(one, field) is None for one in point.turn_on.values]
        assert absent == [one < 5 for one in n.tolist()] and 0 < sum(absent) < len(n)


def test_area_is_the_probability_of_the_right_order() -> None:
    good, bad = RNG.integers(0, 9, 60).astype(float), RNG.integers(0, 7, 80).astype(float)
    order = (good[:, None] > bad).mean() + (good[:, None] == bad).mean() / 2
    assert area(good, bad) == pytest.approx(order)


def test_background_at_an_efficiency() -> None:
    good, bad = np.arange(100.0), np.arange(0.5, 100.5)
    assert background_at(good, bad, 0.95) == pytest.approx(0.95)
    assert background_at(good, bad, 0.5) == pytest.approx(0.5)
    assert background_at(good, bad, 0.0) == 0


def test_identification_of_shapes_that_differ_and_that_do_not() -> None:
    def with_width(n: int, width: float) -> Clusters:
        return Clusters(*(getattr(clusters_of(*showers(n)[:2], np.arange(n)), name) if name != "width" else
                          RNG.normal(width, 0.1, n) for name in Clusters.__dataclass_fields__))

    pytest.importorskip("sklearn")
    apart = identification(with_width(300, 1.0), with_width(300, 2.0), Resampling(300, 10))
    alike = identification(with_width(300, 1.0), with_width(300, 1.0), Resampling(300, 10))
    assert apart is not None and alike is not None
    assert apart.area.value == pytest.approx(1, abs=0.01) and alike.area.value == pytest.approx(0.5, abs=0.12)
    assert apart.background_at_95.value == pytest.approx(0, abs=0.02)
    assert identification(with_width(3, 1.0), with_width(300, 1.0), Resampling(300, 10)) is None


def test_mean_shapes() -> None:
    """Layers 3 to 9, 5 to 21, and a cluster without a cell in its shape, which does not count."""
    one, zero = np.ones(3, np.int64), np.zeros(3)
    clusters = replace(clusters_of(np.ones((3, len(trigger_layers()))), zero + 2.0, np.arange(3)),
                       first_layer=np.array([3, 5, 0]), last_layer=np.array([9, 21, 0]), core=np.array([4, 9, 0]),
                       width=np.array([0.003, 0.005, 0.0])).select(np.tile([0, 1, 2], 5))
    found = {shape.name: shape for shape in shapes(clusters, clusters.select(one.repeat(2)), Resampling(3))}
    values = {name: (shape.signal.value, shape.background and shape.background.value) for name, shape in found.items()}
    assert values == {"first_layer": (4, 5), "length": (12, 17), "core": (6.5, 9), "width": (0.004, 0.005)}
    assert found["core"].signal.error is not None and found["core"].signal.error > 0
    assert shapes(clusters, None, Resampling(3))[0].background is None
    few = shapes(clusters.select(np.arange(3)), None, Resampling(3))[0].signal
    assert (few.value, few.error) == (None, None), "of two clusters"


def test_medians_of_few_values_are_absent() -> None:
    assert np.isnan(median(np.arange(4.0))) and median(np.arange(5.0)) == 2
