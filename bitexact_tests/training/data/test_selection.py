"""Modules that are masked and modules that count more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from bitexact_tests.samples.runs import small
from models.calq_io import CALQ_COLUMNS, CalqTable
from models.config import DataConfig
from models.errors import InputError
from training.data.selection import occupancy_weights, select
from training.production.geometry import modules
from training.production.toy import generate
from training.results.run import RunSummary


def table(**columns: Any) -> CalqTable:
    """As many modules as each column has values; their first charge is their number."""
    n = len(next(iter(columns.values())))
    calq = np.zeros((n, 48), np.uint32)
    calq[:, 0] = np.arange(n)
    return CalqTable(calq, pd.DataFrame(columns))


def kept(given: CalqTable, **options: Any) -> list[int]:
    found = select(given, DataConfig(**options))
    assert len(found.extra) == len(found.calq) and list(found.extra.index) == list(range(len(found.calq)))
    return found.calq[:, 0].tolist()


def test_mask_energies() -> None:
    given = table(SimEnergyFraction=[0.0, 0.05, 0.051, np.nan, 1.0, 0.3])
    assert kept(given) == [0, 1, 2, 3, 4, 5]
    assert kept(given, mask_energies=0.05) == [2, 4, 5], "as the older scripts: what is not above 0.05 goes"
    assert kept(given, mask_energies=0.5) == [4]
    assert kept(given, mask_energies=0) == [1, 2, 4, 5]


def test_mask_partials_by_type_or_by_place() -> None:
    types = ["FI", "FM", "FO", "aO", "cO", "bI"]
    assert kept(table(ModType=types), mask_partials=True) == [0, 1, 2]
    known = modules()
    place = {"layer": known.layer, "waferu": known.u, "waferv": known.v}
    expected = np.flatnonzero(~known.partial)
    assert 0 < len(expected) < len(known.layer)
    assert_array_equal(kept(table(**place), mask_partials=True), expected)
    other_names = {"Layer": known.layer, "ModU": known.u, "ModV": known.v}
    assert_array_equal(kept(table(**other_names), mask_partials=True), expected)
    assert kept(table(layer=[1], waferu=[99], waferv=[0]), mask_partials=True) == [], "no module there"


@pytest.mark.parametrize(("columns", "options", "match"), [
    ({"layer": [1]}, {"mask_partials": True}, "needs the column ModType, or all of layer, waferu, waferv"),
    ({"layer": [9.0, 9.5], "waferu": [1, 1], "waferv": [1, 1]}, {"mask_partials": True},
     "row 2, column layer: 9.5, expected a whole number"),
    ({"layer": ["a"], "waferu": [1], "waferv": [1]}, {"mask_partials": True}, "column layer holds 'a'"),
    ({"layer": [1]}, {"mask_energies": 0.05}, "column SimEnergyFraction is missing"),
    ({"SimEnergyFraction": ["0.1?"]}, {"mask_energies": 0.05}, "SimEnergyFraction holds '0.1\\?', expected numbers"),
])
def test_masks_need_their_columns(columns: dict[str, Any], options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        select(table(**columns), DataConfig(**options))


def test_occupancy_weights() -> None:
    """3 modules with 1 cell above a MIP, one with 2, two with none: with power 1 each kind has a third."""
    calq = np.zeros((6, 48), np.int64)
    calq[:3, 5] = 36
    calq[3, :2] = 1000
    calq[4, :] = 35
    assert_array_equal(occupancy_weights(calq, 0), np.ones(6, np.float32))
    np.testing.assert_allclose(occupancy_weights(calq, 1), [2 / 3] * 3 + [2] + [1] * 2, rtol=1e-6)
    half = occupancy_weights(calq, 0.5)
    assert half.mean() == pytest.approx(1) and half[3] / half[0] == pytest.approx(np.sqrt(3))


@dataclass(frozen=True)
class Trained:
    """A run of an epoch."""

    summary: RunSummary
    test: pd.DataFrame
    history: str


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    """Runs on the same 300 modules: as they are, with a weight, whole modules alone, those with energy alone."""
    pytest.importorskip("tensorflow")
    from training.fit.train import train

    folder, n = tmp_path_factory.mktemp("runs"), 300
    frame = pd.DataFrame(generate(n, seed=1), columns=CALQ_COLUMNS)
    frame = frame.assign(SimEnergyFraction=np.arange(n) / n, ModType=np.where(np.arange(n) % 3, "FI", "aO"))
    frame.to_csv(folder / "calq.csv", index=False)
    plain = small(epochs=1, final_fraction=0).override(data={"files": [str(folder / "calq.csv")]})
    configs = {
        "plain": plain, "weight": plain.override(training={"occupancy_weight": 1.0}),
        "whole": plain.override(data={"mask_partials": True}), "energy": plain.override(data={"mask_energies": 0.5}),
    }
    return {name: Trained(train(config, folder / name), pd.read_csv(folder / name / "test.csv"),
                          (folder / name / "history.json").read_text()) for name, config in configs.items()}


def test_masks_and_weight_are_in_the_fingerprint(runs: dict[str, Trained]) -> None:
    assert len({run.summary.fingerprint for run in runs.values()}) == len(runs)


def test_masked_modules_are_in_no_part_of_the_data(runs: dict[str, Trained]) -> None:
    rows = {name: run.summary.n_train + run.summary.n_validation + run.summary.n_test for name, run in runs.items()}
    assert rows == {"plain": 300, "weight": 300, "whole": 200, "energy": 149}
    assert (runs["whole"].test.ModType == "FI").all() and not (runs["plain"].test.ModType == "FI").all()
    assert (runs["energy"].test.SimEnergyFraction > 0.5).all()


def test_a_weight_changes_the_loss_and_not_the_held_out_rows(runs: dict[str, Trained]) -> None:
    pd.testing.assert_frame_equal(runs["plain"].test, runs["weight"].test)
    assert runs["plain"].history != runs["weight"].history
