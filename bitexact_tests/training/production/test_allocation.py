"""Files by module: which links a module has, and lists of modules."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from bitexact_tests.samples.module_tables import MODULE_LIST, rows, save
from models.errors import InputError
from training.production import transform
from training.production.allocation import ModuleLinks, signal_links


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_signal_allocation(tmp_path: Path, suffix: str) -> None:
    table = rows(500)
    save(tmp_path / f"in{suffix}", table)
    counts = transform.split(tmp_path / f"in{suffix}", tmp_path / "out", "in.csv", None)
    found = {path.parent.name: pd.read_csv(path) for path in (tmp_path / "out").rglob("*.csv")}
    assert set(found) == {"nElinks_2", "nElinks_3", "nElinks_4", "nElinks_5"}
    assert set(found["nElinks_5"].layer) == {9} and set(found["nElinks_4"].layer) == {7, 11}
    assert set(found["nElinks_3"].layer) == {13} and not {7, 9, 11, 13} & set(found["nElinks_2"].layer)
    together = pd.concat(found.values()).sort_values("CALQ_0", ignore_index=True)
    assert_array_equal(together.n_elinks, signal_links(table.layer.to_numpy()))
    pd.testing.assert_frame_equal(together.drop(columns="n_elinks"), table.drop(columns="n_elinks"))
    assert counts == {"left_out": 0, **{name: len(part) for name, part in found.items()}}


def test_pile_up_allocation(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(MODULE_LIST)
    table = rows(6).assign(layer=[9, 9, 10, 11, 9, 9], waferu=[1, 1, 0, 5, 1, 2], waferv=[2, 3, 0, 5, 2, 2])
    counts = transform.split(save(tmp_path / "in.csv", table), tmp_path / "out", "in.parquet",
                             ModuleLinks.read(tmp_path / "list.csv"))
    assert counts == {"left_out": 1, "not_found": 1, "nElinks_1": 1, "nElinks_7": 2, "nElinks_13": 1}
    assert_array_equal(pd.read_parquet(tmp_path / "out" / "nElinks_7" / "in.parquet").CALQ_0, [0, 4])


def test_the_published_list(shared_data: Path) -> None:
    links = ModuleLinks.read(shared_data / "ModuleLinkSummary.csv")
    listed = pd.read_csv(shared_data / "ModuleLinkSummary.csv")
    assert_array_equal(links.links_of(listed.Layer, listed.ModU, listed.ModV), listed.ECONT_eTX)
    assert links.is_whole(listed.Layer, listed.ModU, listed.ModV).sum() == listed.ModType.isin(["FO", "FM", "FI"]).sum()


@pytest.mark.parametrize(("text", "message"), [
    (MODULE_LIST.replace("ECONT_eTX", "ECONT_etx"), "column ECONT_eTX is missing; did you mean 'ECONT_etx'"),
    (MODULE_LIST.replace(",13,", ",14,"), "data row 2, column ECONT_eTX: 14, expected 0..13"),
    (MODULE_LIST.replace("10,0,0", "9,1,2"), "data row 3: module .* is given twice"),
    (MODULE_LIST.replace("11,5", "11,x"), "data row 4, column ModU: 'x', expected an integer"),
    (MODULE_LIST.replace("11,5", "11," + "9" * 30), "data row 4, column ModU: '999.*', expected an integer"),
    (MODULE_LIST.splitlines()[0] + "\n" + "1," * 9, "not readable as CSV"),
    (MODULE_LIST.splitlines()[0], "no rows"),
    ("", "not readable as CSV"),
])
def test_bad_module_list(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        ModuleLinks.read(tmp_path / "list.csv")
    assert "list.csv" in str(error.value)


def test_another_allocation_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(MODULE_LIST)
    path = save(tmp_path / "in.csv", rows(3).assign(layer=9, waferu=1, waferv=2))
    transform.split(path, tmp_path / "out", "in.csv", None)
    transform.split(path, tmp_path / "out", "in.csv", ModuleLinks.read(tmp_path / "list.csv"))
    assert [file.parent.name for file in (tmp_path / "out").rglob("*.csv")] == ["nElinks_7"]
