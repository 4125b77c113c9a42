"""Two sets head to head: differences of the same modules, paired errors, and samples that are never pooled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.samples.schemes import CALQ, scheme
from models.errors import InputError
from training.commands.head_to_head import difference_text, verdict, with_error
from training.physics.comparison import module_metrics
from training.physics.head_to_head import compare_two
from training.physics.metrics import METRICS
from training.results.head_to_head import HeadToHead

FIRST, SECOND = scheme("BC", 5), scheme("BC", 4)
HALVES = [("one", CALQ[:200]), ("two", CALQ[200:])]


@pytest.fixture(scope="module")
def result() -> HeadToHead:
    return compare_two(FIRST, SECOND, HALVES, min_charge=35)


def test_differences_are_those_of_the_same_modules(result: HeadToHead) -> None:
    for (data, calq), sample in zip(HALVES, result.samples, strict=True):
        selected = np.flatnonzero(calq.max(axis=1) > 35)
        assert (sample.data, sample.n_modules, sample.n_selected) == (data, len(calq), len(selected))
        values = module_metrics(calq[selected].astype(float), [FIRST.run(calq), SECOND.run(calq)], selected, 35)
        for k, metric in enumerate(sample.metrics):
            assert metric.name == list(METRICS)[k]
            pairs = values[np.isfinite(values[:, :, k]).all(axis=1), :, k]
            assert metric.n == len(pairs)
            assert metric.first == pytest.approx(pairs[:, 0].mean(), abs=2e-5)
            assert metric.difference == pytest.approx((pairs[:, 0] - pairs[:, 1]).mean(), abs=2e-5)


def test_error_is_that_of_the_difference(result: HeadToHead) -> None:
    """Standard error of the mean difference, and smaller than if the two sets had seen other modules."""
    for (_, calq), sample in zip(HALVES, result.samples, strict=True):
        selected = np.flatnonzero(calq.max(axis=1) > 35)
        values = module_metrics(calq[selected].astype(float), [FIRST.run(calq), SECOND.run(calq)], selected, 35)[..., 0]
        expected = np.std(values[:, 0] - values[:, 1], ddof=1) / np.sqrt(len(values))
        emd = sample.emd
        assert emd.difference_error == pytest.approx(expected, rel=0.25)
        assert emd.first_error is not None and emd.second_error is not None and emd.difference_error is not None
        assert emd.difference_error < np.hypot(emd.first_error, emd.second_error)


def test_better_is_counted_module_by_module(result: HeadToHead) -> None:
    for sample in result.samples:
        assert all((one.first_better or 0) + (one.second_better or 0) <= 1 + 1e-6 for one in sample.metrics)
        assert (sample.emd.first_better or 0) > 0.5  # one more link
        response = next(one for one in sample.metrics if one.name == "energy_response")
        assert (response.second_better or 0) < (response.first_better or 0), "nearer to 1, not larger"


def test_a_set_ties_with_itself() -> None:
    (sample,) = compare_two(FIRST, FIRST, HALVES[:1], min_charge=35).samples
    assert all(one.tie and one.first_better == one.second_better == 0 for one in sample.metrics if one.n)


def test_verdict_names_the_better_set(result: HeadToHead) -> None:
    sample = result.samples[0]
    assert verdict(result, sample).startswith("BC has the smaller EMD, by 0.")
    mirrored = compare_two(SECOND, FIRST, HALVES[:1], min_charge=35)
    assert mirrored.samples[0].emd.difference == pytest.approx(-(sample.emd.difference or 0))
    assert f"{sample.emd.first_better:.0%} of {sample.emd.n:,} modules" in verdict(mirrored, mirrored.samples[0])
    wide = sample.emd.model_copy(update={"difference_error": 10.0})
    tied = sample.model_copy(update={"metrics": (wide,)})
    assert verdict(result, tied) == f"BC and BC tie: EMD {difference_text(wide)}, below three errors."


def test_file_and_records(result: HeadToHead, tmp_path: Path) -> None:
    result.save(tmp_path / "ab.json")
    assert HeadToHead.load(tmp_path / "ab.json") == result
    records = result.records()
    assert len(records) == 2 * len(METRICS) and [row["data"] for row in records[:: len(METRICS)]] == ["one", "two"]
    assert records[0]["first"] == "BC" and records[0]["first_mean"] == result.samples[0].emd.first


def test_a_sample_without_charge_is_named() -> None:
    with pytest.raises(InputError, match=r"^empty: no module has a cell above 35 CALQ"):
        compare_two(FIRST, SECOND, [("empty", CALQ[:1] * 0)], min_charge=35)


@pytest.mark.parametrize(("value", "error", "sign", "text"), [
    (0.12345, 0.0123, "", "0.123 ± 0.012"), (-2.5, 1.23, "+", "-2.5 ± 1.2"), (0.1, 0.1, "+", "+0.10 ± 0.10"),
    (12.0, 34.5, "", "12 ± 34"), (1e-9, 1e-9, "+", "+0.00000 ± 0.00000"), (0.5, 0.0, "+", "+0.5"),
    (None, None, "", "-"),
])
def test_as_many_decimals_as_the_error_has(value: float | None, error: float | None, sign: str, text: str) -> None:
    assert with_error(value, error, sign) == text
