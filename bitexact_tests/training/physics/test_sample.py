"""The modules of a sample: the worst and the typical ones of each scheme, and a spread over each coordinate."""

from __future__ import annotations

import numpy as np

from training.physics.sample import choose


def test_few_modules_are_all_taken() -> None:
    np.testing.assert_array_equal(choose([np.arange(5.0)], [np.arange(5.0)], 5), np.arange(5))


def test_extremes_typical_modules_and_a_spread() -> None:
    rng = np.random.default_rng(1)
    distances, places = [rng.permutation(2000).astype(float) for _ in range(2)], rng.permutation(2000)
    found = choose(distances, [places], 100)
    assert 80 <= len(found) <= 100 and list(found) == sorted(set(found))
    for distance in distances:
        assert {1996, 1997, 1998, 1999} <= set(distance[found]), "the four worst"
        assert np.abs(np.sort(distance[found] - np.median(distance))).min() == 0.5, "the middle"
    ranks = np.sort(places[found])
    assert ranks[0] == 0 and ranks[-1] == 1999 and np.diff(ranks).max() <= 26
