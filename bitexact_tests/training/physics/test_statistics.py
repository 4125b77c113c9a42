"""Means with bootstrap errors, bins and profiles."""

from __future__ import annotations

import numpy as np

from training.physics.statistics import Bootstrap, bin_edges, bin_numbers, profile

RNG = np.random.default_rng(7)


def test_bootstrap_error_is_that_of_a_mean() -> None:
    values = RNG.normal(3.0, 2.0, (4000, 2))
    values[::5, 1] = np.nan
    mean, error = Bootstrap(len(values), 400).mean_and_error(values)
    np.testing.assert_allclose(mean, np.nanmean(values, axis=0))
    expected = np.nanstd(values, axis=0) / np.sqrt(np.isfinite(values).sum(axis=0))
    np.testing.assert_allclose(error, expected, rtol=0.15)


def test_absent_values_are_left_out_of_every_resample() -> None:
    values = np.full((200, 1), 5.0)
    values[::2] = np.nan
    np.testing.assert_allclose(Bootstrap(200, 20).means(values), 5.0, rtol=1e-12)


def test_a_value_on_an_edge_is_in_the_bin_above() -> None:
    np.testing.assert_array_equal(bin_numbers(np.array([0.0, 1.0, 1.5, 2.0]), np.array([0.0, 1.0, 2.0])), [0, 1, 1, 1])


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
