"""The page of validation figures: profiles that are what they say, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from models.calq_io import CalqTable, write_calq
from models.trigger_cells import distance_matrix, image_order
from training.commands.data import app
from training.production.toy import generate
from training.production.validation import lateral_profile, longitudinal_profile


@pytest.fixture
def calq() -> np.ndarray:
    """Two modules, of which the second is no shower; the first has a tenth of its charge in the next cell."""
    calq = np.zeros((2, 48), dtype=np.uint32)
    calq[0, 0], calq[1, 0] = 1000, 599
    calq[0, 4] = 100
    return calq


def test_the_lateral_profile_is_the_share_by_distance(calq: np.ndarray) -> None:
    distance, share = lateral_profile(calq[:, image_order()])
    assert_array_equal(distance, np.arange(8))
    neighbours = (np.rint(distance_matrix()[0] / 2) == 1).sum()
    assert share[0] == 1 and share[1] == pytest.approx(0.1 / neighbours) and share[2] == 0


def test_the_longitudinal_profile_is_the_mean_charge_of_a_layer(calq: np.ndarray) -> None:
    layer, mean = longitudinal_profile("x", CalqTable(calq, pd.DataFrame({"layer": [9, 9]}))) or (None, None)
    assert_array_equal(layer, [9])
    assert_array_equal(mean, [(1100 + 599) / 2])


@pytest.fixture
def samples(tmp_path: Path) -> list[str]:
    """The same modules without and with a column of the layer, as arguments of the command."""
    table = generate(200, 1)
    write_calq(tmp_path / "toy.csv", table)
    write_calq(tmp_path / "placed.parquet", table, extra=pd.DataFrame({"layer": np.arange(200) % 5 + 1}))
    return ["validate", f"toy={tmp_path}/toy.csv", f"{tmp_path}/placed.parquet"]


def test_equal_samples_give_equal_figures(samples: list[str], tmp_path: Path) -> None:
    figures = []
    for name in ("first.svg", "second.svg"):
        result = CliRunner().invoke(app, [*samples, "--output", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        figures.append((tmp_path / name).read_bytes())
    assert figures[0] == figures[1]


def test_the_table_for_machines_has_mean_and_percentiles_of_each_sample(samples: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*samples, "--output", f"{tmp_path}/v.svg", "--json", f"{tmp_path}/v.json",
                                      "--csv", "-"])
    assert result.exit_code == 0, result.output
    found = pd.read_csv(io.StringIO(result.stdout))
    assert found.to_dict("records") == json.loads((tmp_path / "v.json").read_text())
    assert [*found["sample"][:2]] == ["toy", f"{tmp_path}/placed.parquet"] and len(found) == 6
    cells = pd.Series((generate(200, 1) > 0).sum(axis=1))
    for _, row in found[found.quantity == "cells hit"].iterrows():
        assert [*row[2:]] == pytest.approx([cells.mean(), *cells.quantile([0.05, 0.25, 0.5, 0.75, 0.95])], rel=1e-5)


def test_a_figure_of_another_format_is_refused(samples: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*samples, "--output", f"{tmp_path}/v.txt"])
    assert result.exit_code == 2 and "expected a name that ends in .svg, .png or .pdf" in result.output


@pytest.mark.parametrize("layer", [-1, 0, 51, 1.5, "x", None, 10**15])
def test_validation_of_what_is_no_layer(tmp_path: Path, layer: object) -> None:
    extra = pd.DataFrame({"layer": pd.Series([1, layer, *[2] * 8], dtype=object)})
    write_calq(tmp_path / "a.csv", generate(10, 1), extra=extra.astype(str).replace("None", ""))
    result = CliRunner().invoke(app, ["validate", f"toy={tmp_path}/a.csv", "--output", f"{tmp_path}/v.svg"])
    assert result.exit_code == 2, result.output
    assert "toy: data row 2, column layer: '" in result.output and "expected a layer 1..50" in result.output
    assert not (tmp_path / "v.svg").exists()
