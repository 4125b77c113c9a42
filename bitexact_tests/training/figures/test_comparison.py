"""Figures of a comparison: what is drawn is what was compared."""

from __future__ import annotations

import numpy as np

from bitexact_tests.samples.schemes import CALQ
from training.figures.comparison import by_budget
from training.physics.comparison import compare
from training.results.comparison import Options


def test_a_line_for_each_algorithm_with_its_best_scheme_at_each_number_of_links() -> None:
    result = compare(CALQ, {}, [], Options(n_elinks=(2, 4)), data="a sample")
    axes, = by_budget(result).axes
    drawn = {container.get_label(): container[0].get_xydata() for container in axes.containers}
    assert set(drawn) == {"BC", "STC", "TS"}
    for algorithm, points in drawn.items():
        best = [min(one.emd_mean for one in result.table(n) if one.algorithm == algorithm) for n in (2, 4)]
        np.testing.assert_array_equal(points, np.transpose([(2, 4), best]))
