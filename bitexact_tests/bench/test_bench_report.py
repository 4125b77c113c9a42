"""Time of the comparison of all algorithms, of the report, for 5,000 modules on 2 to 5 links; and of the exact EMD."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.charge_maps import maps
from models.config import Config
from models.trigger_cells import distance_matrix, image_order
from models.weights import EncoderWeights
from training.physics.comparison import compare
from training.physics.emd import _MAX_ITERATIONS, _solver, emd, emd_and_potential
from training.production.toy import generate
from training.results.comparison import Options
from training.results.run import History

N_MODULES = 5000


@pytest.fixture(scope="module")
def calq(request: pytest.FixtureRequest) -> Any:
    """5,000 modules for a benchmark, few for a test."""
    n = N_MODULES if request.config.getoption("benchmark_enable") else 300
    return generate(n, 1)[:, np.argsort(image_order())].astype(np.int64)


def test_comparison(benchmark: Any, calq: Any) -> None:
    benchmark.group = "comparison and report"
    found = benchmark.pedantic(compare, (calq, {}, [], Options()), rounds=1)
    assert found.n_modules == len(calq)
    benchmark.extra_info["events_per_s"] = len(calq) / benchmark.stats.stats.median if benchmark.stats else 0


def test_report(benchmark: Any, calq: Any, tmp_path: Path) -> None:
    from training.fit.run import Run
    from training.report.page import write_report

    config = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml")
    EncoderWeights.random(config.encoder, 1).save(tmp_path / "weights.npz")
    History(loss=(1.0,), val_loss=(1.0,)).save(tmp_path / "history.json")
    compare(calq, {}, [], Options(), data="generated").save(tmp_path / "physics.json")
    benchmark.group = "comparison and report"
    page = benchmark.pedantic(write_report, (Run(tmp_path, config),), rounds=1)
    assert page.stat().st_size > 1_000_000
    benchmark.extra_info["events_per_s"] = len(calq) / benchmark.stats.stats.median if benchmark.stats else 0


@pytest.mark.parametrize("n_processes", [1, 2])
@pytest.mark.parametrize("received", ["14 largest cells", "all 48 cells"])
def test_emd(benchmark: Any, received: str, n_processes: int) -> None:
    """Exact EMD, starts of processes included."""
    true, pred = maps(received, 40_000 if benchmark.enabled else 1_000)
    benchmark.group = f"EMD, {received}"
    distance = benchmark.pedantic(emd, (true, pred, n_processes), rounds=1)
    assert (distance >= 0).all()
    benchmark.extra_info["events_per_s"] = len(true) / benchmark.stats.stats.median if benchmark.stats else 0


@pytest.mark.parametrize("what", ["value and gradient", "solver", "solver from its own potentials"])
def test_emd_of_a_loss(benchmark: Any, what: str) -> None:
    """What one module takes in a training on the exact EMD, and how much of it is POT's solver."""
    true, pred = maps("all 48 cells", 2_000)
    true, pred = true / true.sum(axis=1, keepdims=True), pred / pred.sum(axis=1, keepdims=True)
    solver, distances = _solver(), distance_matrix()
    problems = []
    for surplus in true - pred:
        source, target = np.flatnonzero(surplus > 0), np.flatnonzero(surplus < 0)
        supply, demand = surplus[source], -surplus[target]
        problems.append((supply, demand * (supply.sum() / demand.sum()), distances[np.ix_(source, target)]))
    known = [solver(*problem, _MAX_ITERATIONS, 1)[2:4] for problem in problems]

    def solve() -> list[float]:
        warm = known if "potentials" in what else [()] * len(problems)
        return [solver(*problem, _MAX_ITERATIONS, 1, *start)[1] for problem, start in zip(problems, warm, strict=True)]

    benchmark.group = "EMD of a loss"
    call = (lambda: emd_and_potential(true, pred)[0]) if what == "value and gradient" else solve
    found = benchmark.pedantic(call, rounds=5)
    np.testing.assert_allclose(found, emd(true, pred, 1), rtol=0, atol=1e-9)
    benchmark.extra_info["events_per_s"] = len(true) / benchmark.stats.stats.median if benchmark.stats else 0
