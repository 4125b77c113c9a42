"""The embedded data set: deterministic, never empty, and like a real sample where it says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.calq_io import MAX_CALQ, read_calq, write_calq
from models.trigger_cells import distance_matrix, image_order
from training.production.distributions import compare, distributions
from training.production.toy import generate


def test_equal_seeds_give_equal_modules() -> None:
    calq = generate(300, seed=5)
    np.testing.assert_array_equal(calq, generate(300, seed=5))
    np.testing.assert_array_equal(calq, generate(6000, seed=5)[:300], "a smaller sample is the start of a larger one")
    assert (calq != generate(300, seed=6)).any()
    assert generate(0, seed=1).shape == (0, 48)


def test_modules_are_legal_and_not_empty() -> None:
    calq = generate(12_000, seed=1)
    assert calq.shape == (12_000, 48) and calq.dtype == np.uint32
    assert calq.max() <= MAX_CALQ and calq.any(axis=1).all()


def test_a_large_sample_does_not_repeat_itself() -> None:
    """Only modules with a cell or two may be equal by chance."""
    calq = generate(12_000, seed=1)
    assert len(np.unique(calq, axis=0)) > 0.9 * len(calq)


def test_sparse_and_busy_modules() -> None:
    hit = distributions(generate(5000, seed=1))["cells hit"]
    assert (hit <= 4).mean() > 0.05 and (hit >= 40).mean() > 0.05


def test_charge_is_near_the_largest_cell() -> None:
    """A shower is narrow: the neighbours of a large cell carry more than cells far away, by the wafer's geometry."""
    calq = generate(5000, seed=1)[:, np.argsort(image_order())].astype(float)
    calq = calq[calq.max(axis=1) > 600]
    share = calq / calq.max(axis=1, keepdims=True)
    distance = distance_matrix()[calq.argmax(axis=1)] / 2
    near, far = (distance > 0.5) & (distance < 1.5), distance > 3.5
    assert share[near].mean() > 2 * share[far].mean()


def test_distributions_are_like_those_of_a_published_sample(shared_data: Path) -> None:
    """Means within 20% and quartiles within 30%, enough to train and to size everything alike."""
    rows = compare({"ours": generate(20_000, seed=1), "theirs": read_calq(shared_data / "CALQ_output.csv").calq})
    for ours, theirs in zip(rows[::2], rows[1::2], strict=True):
        assert (ours.quantity, ours.sample, theirs.sample) == (theirs.quantity, "ours", "theirs")
        assert ours.mean == pytest.approx(theirs.mean, rel=0.2), ours.quantity
        for name in ("p25", "p50", "p75"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=0.3), f"{ours.quantity}, {name}"


def test_written_and_read_back(tmp_path: Path) -> None:
    calq = generate(50, seed=2)
    for name in ("calq.csv", "calq.parquet"):
        write_calq(tmp_path / name, calq)
        np.testing.assert_array_equal(read_calq(tmp_path / name).calq, calq)
