"""Generated modules with the links, eta, type and density of a geometry file, or the links of a list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.geometry_file import GEOMETRY
from models.calq_io import CalqTable, read_calq
from models.trigger_cells import to_trigger_cells
from training.__main__ import app
from training.production.geometry_file import GeometryFile, read_module_list
from training.production.placed import placed, with_modules
from training.production.toy import generate


@pytest.fixture
def geometry(tmp_path: Path) -> GeometryFile:
    (tmp_path / "geometry.txt").write_text(GEOMETRY)
    return GeometryFile.read(tmp_path / "geometry.txt")


def test_modules_with_a_place_get_what_the_file_says(geometry: GeometryFile) -> None:
    """Of high density, in another sector, without links, and one that the file does not have."""
    table = pa.table({"layer": [1, 1, 2, 9, 27], "waferu": [1, -2, 1, 0, 9], "waferv": [3, 0, 3, 0, 3],
                      "zside": [1, -1, 1, 1, -1], "isHDM": [False, True, True, True, True], "n_elinks": [2] * 5})
    found = with_modules(table, geometry).to_pandas()
    assert found["n_elinks"].tolist() == [5, 3, 0, 0, 9]
    assert found["wafertype"].tolist() == [0, 1, 2, -1, 2]
    assert found["isHDM"].tolist() == [True, False, False, True, False]
    assert (np.sign(found["eta"]) == table["zside"].to_numpy()).all() and found["eta"].abs().min() > 1.3


def test_modules_without_a_place_get_one_that_has_links(geometry: GeometryFile) -> None:
    calq = generate(500, 1)
    found = placed(CalqTable(calq, pd.DataFrame(index=range(500)), "toy"), geometry, seed=3)
    extra = found.extra
    assert set(extra["n_elinks"]) == {1, 3, 5, 9} and set(extra["zside"]) == {-1, 1}
    place = [extra[name].to_numpy() for name in ("layer", "waferu", "waferv")]
    np.testing.assert_array_equal(extra["n_elinks"], geometry.links_of(*place))
    sectors = {(int(u), int(v)) for layer, u, v in zip(*place, strict=True) if layer == 27}
    assert sectors == {(9, 3), (-3, 6), (-6, -9)}
    cells = geometry.cells_of(*place)
    assert not cells.all() and cells.all(axis=1).any()
    np.testing.assert_array_equal(to_trigger_cells(found.calq), np.where(cells, to_trigger_cells(calq), 0))
    again = placed(CalqTable(calq, pd.DataFrame(index=range(500)), "toy"), geometry, seed=3)
    pd.testing.assert_frame_equal(again.extra, extra)


def test_command(geometry: GeometryFile, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Layer,ModU,ModV,ECONT_eTX\n9,1,2,5\n7,0,3,0\n7,4,1,4\n")
    for name, links in (("geometry.txt", {1, 3, 5, 9}), ("list.csv", {4, 5})):
        output = tmp_path / f"{name}.parquet"
        done = CliRunner().invoke(app, ["data", "generate", "--source", "toy", "--n-modules", "100", "--modules",
                                        str(tmp_path / name), "--output", str(output)])
        assert done.exit_code == 0, done.output
        extra = read_calq(output).extra
        assert set(extra["n_elinks"]) == links
        assert {"eta", "wafertype", "isHDM", "cells"} <= set(extra) or name == "list.csv"
        np.testing.assert_array_equal(extra["n_elinks"], read_module_list(tmp_path / name).links_of(
            *(extra[column].to_numpy() for column in ("layer", "waferu", "waferv"))))
    done = CliRunner().invoke(app, ["data", "generate", "--source", "toy", "--n-modules", "100", "--modules",
                                    str(tmp_path / "none.txt"), "--output", str(tmp_path / "x.csv")])
    assert done.exit_code == 2 and not (tmp_path / "x.csv").exists()
