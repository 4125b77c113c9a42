"""The geometry file of the experiment: modules of a sector, turned to all three, and what is known of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.samples.geometry_file import GEOMETRY
from bitexact_tests.samples.module_tables import MODULE_LIST, rows, save
from models.errors import InputError
from models.trigger_cells import ROTATION
from training.__main__ import app
from training.production.allocation import ModuleLinks
from training.production.geometry import module_centre
from training.production.geometry_file import GeometryFile, plane_eta, read_module_list


@pytest.fixture
def geometry(tmp_path: Path) -> GeometryFile:
    (tmp_path / "geometry.txt").write_text(GEOMETRY)
    return GeometryFile.read(tmp_path / "geometry.txt")


def test_modules_of_all_three_sectors(geometry: GeometryFile) -> None:
    u, v = np.array([1, 2, -3, 1, 5, 5]), np.array([3, -1, -2, 2, 5, 99])
    layer = np.ones(6, dtype=int)
    assert_array_equal(geometry.links_of(layer, u, v), [5, 5, 5, 0, 0, 0])
    assert_array_equal(geometry.is_listed(layer, u, v), [True, True, True, False, False, False])
    # A turn by 120 degrees about the beam takes the centres to one another.
    centres = module_centre(u[:3], v[:3]) @ np.array([1, 1j])
    assert np.allclose(centres[1] / centres[0], np.exp(-2j * np.pi / 3)) or np.allclose(
        centres[1] / centres[0], np.exp(2j * np.pi / 3))
    np.testing.assert_allclose(np.abs(centres), np.abs(centres[0]))


def test_links_type_and_density(geometry: GeometryFile) -> None:
    assert_array_equal(geometry.links_of([1, 1, 2, 1, 27], [1, 2, 1, 3, 9], [3, 2, 3, 5, 3]), [5, 3, 0, 1, 9])
    assert_array_equal(geometry.is_whole([1, 1, 2, 1, 27, 3], [1, 2, 1, 3, 9, 1], [3, 2, 3, 5, 3, 1]),
                       [True, True, True, False, True, False])
    assert_array_equal(geometry.wafer_type, [0, 1, 2, 2, 2, 2])
    assert_array_equal(geometry.high_density, [True, False, False, False, False, False])
    assert_array_equal(geometry.is_listed([2, 0, 48, 2], [1, 1, 1, 2], [3, 3, 3, 3]), [True, False, False, False])


def test_partial_modules_know_their_cells(geometry: GeometryFile) -> None:
    cells = geometry.cells_of([1, 1, 1], [1, 3, 4], [3, 5, 5])
    assert cells[0].all()
    assert 20 < cells[1].sum() < 40
    # A third of a turn takes the rhombus 0..15 to the next one; the same piece, turned, has the same cells.
    assert_array_equal(cells[1], cells[2])
    assert not np.array_equal(cells[1], cells[1][ROTATION])
    assert geometry.cells_of([9], [9], [9]).all()


def test_eta_falls_with_the_radius() -> None:
    eta = plane_eta(np.array([1, 1, 47]), np.array([2, 8, 8]), np.array([0, 0, 0]))
    assert eta[0] > eta[1]
    assert eta[2] > eta[1]  # farther away
    assert ((eta > 1.3) & (eta < 4)).all()


def test_the_published_file(shared_data: Path) -> None:
    """Numbers of modules by links, and of the other list's modules that are found."""
    geometry = GeometryFile.read(shared_data / "geometry_hgcal.txt")
    count = np.bincount(geometry.links, minlength=12)
    assert (count[0], count[1], count[2], count[3], count[4], count[5], count[6:].sum()) == (
        1290, 18, 2242, 204, 310, 194, 84)
    listed = pd.read_csv(shared_data / "ModuleLinkSummary.csv")
    found = geometry.is_listed(listed.Layer, listed.ModU, listed.ModV)
    assert found.sum() == 8502
    # One and the same set of cells for each kind of partial module, however it is turned.
    for kind in ("aOeT", "aOeB", "dOeL", "dOeR", "dIeL", "dIeR", "gIe", "aIe"):
        assert len(np.unique(geometry.cells[geometry.type == kind], axis=0)) == 1
    assert geometry.cells[np.char.startswith(geometry.type, "F")].all()
    assert geometry.cells.sum(axis=1).min() >= 15


def test_either_list_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(GEOMETRY)
    (tmp_path / "b").write_text(MODULE_LIST)
    assert isinstance(read_module_list(tmp_path / "a"), GeometryFile)
    assert isinstance(read_module_list(tmp_path / "b"), ModuleLinks)


@pytest.mark.parametrize(("old", "new", "message"), [
    ("trigLinks", "triglinks", "column trigLinks is missing; did you mean 'triglinks'"),
    ("itype", "typ", "column itype is missing"),
    ("1 1 3 FI", "1 1 3 XX", "data row 1, column itype: 'XX', expected a letter"),
    ("1 1 3 FI", "48 1 3 FI", r"data row 1, column plane: '48', expected a whole number of 1\.\.47"),
    ("2 1 3 FO", "1 1 3 FO", "data row 3: module 1, 1, 3 is given twice"),
    ("9.0 0\n", "9.5 0\n", r"data row 6, column trigLinks: '9.5', expected a whole number of 0\.\.13"),
])
def test_bad_files(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GEOMETRY
    (tmp_path / "geometry.txt").write_text(GEOMETRY.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"geometry.txt: {message}"):
        GeometryFile.read(tmp_path / "geometry.txt")


def test_split_by_the_geometry_file(tmp_path: Path) -> None:
    (tmp_path / "geometry.txt").write_text(GEOMETRY)
    table = rows(7).assign(layer=[1, 1, 2, 1, 27, 1, 27], waferu=[2, 2, 1, 3, 9, 9, 9],
                           waferv=[-1, 2, 3, 5, 3, 9, 3], zside=[-1, 1, 1, 1, 1, 1, -1])
    save(tmp_path / "in.parquet", table)
    command = ["data", "split", str(tmp_path / "in.parquet"), "--allocation", "pile-up", "--modules",
               str(tmp_path / "geometry.txt"), "--format", "parquet", "--json", str(tmp_path / "n.json"),
               "--csv", str(tmp_path / "n.csv")]
    found = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "out")])
    assert found.exit_code == 0, found.output
    assert json.loads((tmp_path / "n.json").read_text()) == {
        "left_out": 1, "not_found": 1, "nElinks_1": 1, "nElinks_3": 1, "nElinks_5": 1, "nElinks_9": 2}
    assert (tmp_path / "n.csv").read_text().split() == [
        "class,rows", "nElinks_1,1", "nElinks_3,1", "nElinks_5,1", "nElinks_9,2", "left_out,1", "not_found,1"]
    five = pd.read_parquet(tmp_path / "out/nElinks_5/in.parquet")
    assert (five.wafertype[0], five.cells[0], five.n_elinks[0]) == (0, (1 << 48) - 1, 5)
    assert five.eta[0] < -1
    partial = pd.read_parquet(tmp_path / "out/nElinks_1/in.parquet")
    assert 20 < bin(partial.cells[0]).count("1") < 40
    found = CliRunner().invoke(app, [*command, "--per-bit-width", "--output", str(tmp_path / "bits")])
    assert json.loads((tmp_path / "n.json").read_text())["nElinks_5"] == 3
    assert_array_equal(sorted(pd.read_parquet(tmp_path / "bits/nElinks_5/in.parquet").n_elinks), [5, 9, 9])
