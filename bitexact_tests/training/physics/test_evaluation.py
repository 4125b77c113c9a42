"""The evaluation: metrics of known distances, and of decoders whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from bitexact_tests.samples.runs import small
from models.trigger_cells import N_TRIGGER_CELLS, to_trigger_cells
from models.weights import EncoderWeights
from training.physics.evaluation import evaluate, metrics
from training.production.toy import generate

pytest.importorskip("tensorflow")



def test_metrics_of_known_distances() -> None:
    calq = np.zeros((6, N_TRIGGER_CELLS), np.uint32)
    calq[:4, 0] = [36, 100, 35, 40]
    calq[4, 7] = 200
    distance = np.array([1.0, 2.0, 10.0, np.nan, 3.0, np.nan])
    assert dict(metrics(calq, distance)) == {
        "n_modules": 6, "n_empty_input": 1, "n_empty_output": 1, "n_selected": 4,
        "emd_mean": 2.0, "emd_error": pytest.approx(1 / 3**0.5), "emd_median": 2.0, "emd_q68": pytest.approx(2.36),
        "emd_mean_all": 4.0, "emd_error_all": pytest.approx((50 / 3 / 4) ** 0.5), "emd_median_all": 2.5,
        "emd_q68_all": pytest.approx(3.28),
    }
    nothing = metrics(calq[:0], distance[:0])
    assert nothing.n_modules == 0 and all(value in (0, None) for _, value in nothing) and nothing.emd_mean is None
    assert set(dict(nothing)) == set(nothing.meanings())


class Oracle:
    """A decoder that knows the answer."""

    inputs = (None,)

    def __init__(self, fractions: np.ndarray) -> None:
        self.fractions = fractions

    def __call__(self, inputs: list[np.ndarray]) -> np.ndarray:
        return self.fractions


def test_evaluate_of_known_decoders() -> None:
    spec = small().encoder
    calq = generate(50, seed=2)
    weights = EncoderWeights.random(spec, 1)
    true = to_trigger_cells(calq) / calq.sum(axis=1, keepdims=True)
    perfect = evaluate(weights, Oracle(true), calq)
    assert perfect.emd_mean_all == pytest.approx(0, abs=1e-9)
    turned = evaluate(weights, Oracle(np.roll(true, 16, axis=1)), calq)
    assert turned.emd_mean_all is not None and turned.emd_mean_all > 3
    empty = evaluate(weights, Oracle(np.zeros((50, 48))), calq)
    assert empty.n_empty_output == 50 and empty.emd_mean_all is None
