"""Tables out of files: bounded in memory, and bad rows in one line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.module_tables import rows, save
from models.calq_io import MAX_CALQ
from models.errors import InputError
from training.commands.data import app
from training.production import transform
from training.production.stream import distinct_names, read_tables


def test_tables_do_not_depend_on_the_pieces_of_the_file(tmp_path: Path) -> None:
    table = rows(95)
    table.to_parquet(tmp_path / "a.parquet", index=False, row_group_size=10)
    assert [len(part) for part in read_tables([tmp_path / "a.parquet"], 40)] == [40, 40, 15]
    save(tmp_path / "b.csv", table)
    assert [len(part) for part in read_tables([tmp_path], 80)] == [80, 80, 30]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(("column", "value", "message"), [
    ("CALQ_7", None, "empty, expected an integer 0..4194303"),
    ("CALQ_7", MAX_CALQ + 1, "4194304, expected an integer 0..4194303"),
    ("CALQ_47", 2**32 - 1, "4294967295, expected an integer 0..4194303"),
    ("layer", None, "empty, expected an integer"),
    ("SimEnergyFraction", None, "empty, expected a number"),
    ("isHDM", None, "empty, expected true or false"),
])
def test_what_is_no_charge_or_empty(tmp_path: Path, suffix: str, column: str, value: int | None, message: str
                                    ) -> None:
    """In a file that is read whole, and in a later piece of it."""
    table = rows(60).convert_dtypes()
    table.loc[44, column] = value
    path = save(tmp_path / f"in{suffix}", table)
    with pytest.raises(InputError, match=f"in{suffix}: data row 45, column {column}: {message}"):
        list(read_tables([path], rows=25))
    for step in (["skim", "--partial", "--min-sim-energy", "-1"], ["double"], ["split"]):
        result = CliRunner().invoke(app, [*step, str(path), "--output", str(tmp_path / "out")])
        assert result.exit_code == 2, result.output
        assert f"in{suffix}: data row 45, column {column}: {message}" in " ".join(result.output.split())
    assert not [file for file in (tmp_path / "out").rglob("*") if file.is_file()]


@pytest.mark.parametrize(("paths", "names"), [
    (["a/x.csv", "b/y.csv"], ["x", "y"]),
    (["a/x.csv", "b/x.csv", "b/y.csv"], ["a_x", "b_x", "y"]),
    (["job/1/out/x.csv.gz", "job/2/out/x.csv.gz"], ["1_x", "2_x"]),
    (["a/x.csv", "a/b/x.csv", "a/b/c/x.csv"], ["x", "b_x", "b_c_x"]),
    (["a/x.csv", "a/x.parquet", "a/x.csv.gz"], ["x_csv", "x_parquet", "x_csv_gz"]),
])
def test_equal_names_are_told_apart_by_the_path_that_differs(paths: list[str], names: list[str]) -> None:
    assert distinct_names([Path("/data") / path for path in paths]) == names


@pytest.mark.parametrize("step", [["skim", "--partial", "--min-sim-energy", "-1"], ["double"], ["split"]])
def test_files_of_one_name_in_many_folders(tmp_path: Path, step: list[str]) -> None:
    for n in (1, 2):
        (tmp_path / f"job_{n}").mkdir()
        save(tmp_path / f"job_{n}" / "calq.csv", rows(5, seed=n).assign(layer=9, CALQ_0=n))
    result = CliRunner().invoke(app, [*step, *(str(tmp_path / f"job_{n}") for n in (1, 2)), "--output",
                                      str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    found = {path.name: set(pd.read_csv(path).CALQ_0) for path in (tmp_path / "out").rglob("*.csv")}
    factors = {1, 2} if step == ["double"] else {1}
    assert found == {f"job_{n}_calq.csv": {n * factor for factor in factors} for n in (1, 2)}


def test_files_whose_columns_differ_in_type(tmp_path: Path) -> None:
    save(tmp_path / "a.csv", rows(5).assign(x=1))
    save(tmp_path / "b.csv", rows(5).assign(x=0.5))
    result = CliRunner().invoke(app, ["shuffle", str(tmp_path), "--output", str(tmp_path / "s" / "out.csv")])
    assert result.exit_code == 2 and "b.csv: column x: double, expected int64 as in" in result.output, result.output


def test_parquet_that_says_there_are_no_holes(tmp_path: Path) -> None:
    """Such a column goes together with one that may have them."""
    save(tmp_path / "a.parquet", rows(5))
    table = pa_parquet.read_table(tmp_path / "a.parquet")
    schema = pa.schema([field.with_nullable(False) for field in table.schema])
    pa_parquet.write_table(table.cast(schema), tmp_path / "b.parquet")
    assert [len(table) for table in read_tables([tmp_path])] == [10]


def test_columns_that_csv_cannot_hold(tmp_path: Path) -> None:
    path = save(tmp_path / "in.parquet", rows(3).assign(x=[[1], [2], [3]]))
    result = CliRunner().invoke(app, ["shuffle", str(path), "--output", str(tmp_path / "out.csv")])
    assert result.exit_code == 2 and "out.csv: this format cannot hold one of the columns" in result.output
    assert not (tmp_path / "out.csv").exists()


def test_packed_csv(tmp_path: Path) -> None:
    path = save(tmp_path / "in.csv", rows(50))
    for name in ("s.csv", "s.csv.gz", "t.csv.gz"):
        transform.shuffle([path], tmp_path / name, seed=3)
    packed = (tmp_path / "s.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "s.csv").read_bytes()
    assert packed == (tmp_path / "t.csv.gz").read_bytes()
    assert [len(table) for table in read_tables([tmp_path / "s.csv.gz"])] == [50]


@pytest.mark.parametrize(("change", "message"), [
    (lambda table: table.drop(columns="layer"), "in.csv: column layer is missing"),
    (lambda table: table.drop(columns="CALQ_3"), r"in.csv: column CALQ_3 is missing \(given: 'CALQ_0', "),
    (lambda table: table.assign(CALQ_7=-1), "in.csv: line 2, column CALQ_7: '-1', expected an integer 0..4194303"),
    (lambda table: table.assign(CALQ_7="x"), "in.csv: line 2, column CALQ_7: 'x', expected an integer 0..4194303"),
    (lambda table: table.assign(layer="x"), "in.csv: .*invalid value 'x'"),
    (lambda table: table.rename(columns={"layer": "Layer"}).assign(Layer=""), "data row 1, column Layer: empty"),
    (lambda table: table.assign(x=1).rename(columns={"x": "layer"}), "in.csv: column layer is given twice"),
    (lambda table: table[:0], "in.csv: no rows, expected one per module"),
])
def test_bad_rows_are_one_line(tmp_path: Path, change: object, message: str) -> None:
    assert callable(change)
    save(tmp_path / "in.csv", change(rows(5)))
    with pytest.raises(InputError, match=message) as error:
        transform.split(tmp_path / "in.csv", tmp_path / "out", "in.csv", None)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").rglob("*.csv")) if (tmp_path / "out").exists() else True
