"""Ntuples of whole modules, in the three ways of naming their branches."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.samples import wafers
from models.calq_io import read_calq
from training.commands.data import app
from training.production.ntuple import open_tree
from training.production.wafers import find_wafer_branches, read_wafers

uproot = pytest.importorskip("uproot")


@pytest.fixture(scope="module")
def sample() -> wafers.Wafers:
    return wafers.wafers(12, 9)


def convert(path: Any, output: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["from-ntuple", str(path), "--output", str(output), *options])


@pytest.mark.parametrize("naming", ["chain", "nano", "tables"])
def test_every_naming_gives_the_same_rows(tmp_path: Path, sample: wafers.Wafers, naming: str) -> None:
    path = wafers.write(tmp_path / "n.root", sample, naming)
    found = convert(path, tmp_path / "out", "--events-per-part", "5")
    assert found.exit_code == 0, found.output
    assert f"{len(sample['calq'])} modules, 0 with encoder inputs that the chip would not compute" in found.output
    table = read_calq(tmp_path / "out", "tc")
    assert_array_equal(table.calq, sample["calq"])
    for name in ("layer", "waferu", "waferv", "wafertype", "zside"):
        assert_array_equal(table.extra[name], sample[name])
    for name in ("eta", "energy", "simenergy"):
        assert_array_equal(table.extra[name].astype(np.float32), sample[name])
    assert_array_equal(table.extra.event, sample["event"][sample["event_index"]])
    assert_array_equal(table.extra.gen_pt.astype(np.float32), sample["gen_pt"].max(axis=1)[sample["event_index"]])
    total = np.bincount(sample["event_index"], sample["simenergy"], minlength=12)[sample["event_index"]]
    expected = np.divide(sample["simenergy"], total, out=np.zeros(len(total)), where=total > 0)
    np.testing.assert_allclose(table.extra.SimEnergyFraction, expected, rtol=1e-6)


def test_inputs_that_the_chip_would_not_compute_are_counted(tmp_path: Path, sample: wafers.Wafers) -> None:
    import awkward as ak

    _, image = wafers.images(sample["calq"])
    image[[2, 5, 7], 4] += 1 / 128
    wrong = ak.unflatten(image[:, 4], sample["counts"])
    found = convert(wafers.write(tmp_path / "n.root", sample, wafer_AEin4=wrong), tmp_path / "out")
    assert "3 with encoder inputs that the chip would not compute" in found.output


def test_files_without_inputs_or_event_numbers(tmp_path: Path, sample: wafers.Wafers) -> None:
    none = {f"wafer_AEin{i}": None for i in range(64)}
    found = convert(wafers.write(tmp_path / "n.root", sample, event=None, gen_pt=None, **none), tmp_path / "out")
    assert found.exit_code == 0, found.output
    assert "encoder inputs that" not in found.output
    table = pd.read_parquet(tmp_path / "out")
    assert_array_equal(table.event, sample["event_index"])
    assert not table.gen_pt.any()


def test_scintillator_is_left_out(tmp_path: Path, sample: wafers.Wafers) -> None:
    import awkward as ak

    subdet = np.where(np.arange(len(sample["calq"])) % 3 == 0, 10, 1).astype(np.int32)
    path = wafers.write(tmp_path / "n.root", sample, wafer_subdet=ak.unflatten(subdet, sample["counts"]))
    assert convert(path, tmp_path / "out").exit_code == 0
    assert_array_equal(read_calq(tmp_path / "out").calq, sample["calq"][subdet == 1])


def test_rntuple_and_address(tmp_path: Path, sample: wafers.Wafers) -> None:
    with uproot.recreate(tmp_path / "n.root") as file:
        file.mkrntuple("Events", wafers.branches(sample, "nano"))
    found = convert(f"file://{tmp_path}/n.root", tmp_path / "out")
    assert found.exit_code == 0, found.output
    assert_array_equal(read_calq(tmp_path / "out").calq, sample["calq"])


def test_address_whose_plugin_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fsspec_xrootd", "XRootD"):
        monkeypatch.setitem(sys.modules, name, None)
    found = convert("root://nowhere.invalid//store/n.root", tmp_path / "out")
    assert found.exit_code == 2
    assert len(found.output.strip().splitlines()) == 1
    assert "Install fsspec-xrootd" in found.output


def _changed(one: wafers.Wafers, column: str, row: int, value: Any) -> Any:
    import awkward as ak

    charge, _ = wafers.images(one["calq"])
    values = charge[:, int(column[4:])] if column.startswith("CALQ") else one[column]
    values = values.copy()
    values[row] = value
    return ak.unflatten(values, one["counts"])


@pytest.mark.parametrize(("column", "value", "message"), [
    ("layer", 51, r"event \d+, branch wafer_layer: 51, expected 1\.\.50"),
    ("zside", 0, r"event \d+, branch wafer_zside: 0, expected -1 or 1"),
    ("wafertype", 3, r"event \d+, branch wafer_wafertype: 3, expected 0\.\.2"),
    ("energy", np.inf, r"event \d+, branch wafer_energy: inf, expected 0\.\."),
    ("simenergy", np.nan, r"event \d+, branch wafer_simenergy: nan, expected 0\.\."),
    ("CALQ7", 1 << 23, r"event \d+, branch wafer_CALQ7: 8388608, expected 0\.\."),
    ("CALQ63", 1, r"event \d+, branch wafer_CALQ63: 1, expected 0, as there is no cell at this pixel"),
])
def test_bad_values(tmp_path: Path, sample: wafers.Wafers, column: str, value: Any, message: str) -> None:
    path = wafers.write(tmp_path / "n.root", sample, **{f"wafer_{column}": _changed(sample, column, 8, value)})
    found = convert(path, tmp_path / "out")
    assert found.exit_code == 2
    assert re.search(message, found.output), found.output
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_missing_branches_and_lengths(tmp_path: Path, sample: wafers.Wafers) -> None:
    import awkward as ak

    path = wafers.write(tmp_path / "a.root", sample, wafer_CALQ9=None)
    found = convert(path, tmp_path / "out", "--tree", wafers.CHAIN)
    assert found.exit_code == 2 and "branch 'wafer_CALQ9' is missing" in found.output
    short = ak.Array([[1] * 3] * 12)
    found = convert(wafers.write(tmp_path / "b.root", sample, wafer_layer=short), tmp_path / "out")
    assert found.exit_code == 2 and "expected as many values as" in found.output
    found = convert(wafers.write(tmp_path / "c.root", sample), tmp_path / "out", "--erx")
    assert found.exit_code == 2 and "came over no link; omit --erx" in found.output
    assert find_wafer_branches("n", ["tc_layer"]) is None


def test_tables_are_of_few_events(tmp_path: Path) -> None:
    """Memory is that of a step, however long the file is."""
    sample = wafers.wafers(100, 20, seed=3)
    path = wafers.write(tmp_path / "n.root", sample)
    content = open_tree(path)
    branches = find_wafer_branches(str(path), content.keys())
    assert branches is not None
    tables = list(read_wafers(path, content, branches, 10, None, step=30))
    assert [table.info.event.min() // 30 for table in tables] == [(1010 + 30 * k) // 30 for k in range(3)]
    assert_array_equal(np.concatenate([table.calq for table in tables]),
                       sample["calq"][sample["event_index"] >= 10])
