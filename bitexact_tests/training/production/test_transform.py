"""Split, skim, shuffle and double: every row accounted for, in bounded memory, and bad files in one line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from models.calq_io import CALQ_COLUMNS, MAX_CALQ
from models.errors import InputError
from training.commands.data import app
from training.production import transform
from training.production.allocation import ModuleLinks, signal_links
from training.production.geometry import modules
from training.production.stream import open_writer, read_tables

MODULE_LIST = "Layer,ModU,ModV,ECONT_eTX,ModType\n9,1,2,7,FO\n9,1,3,13,aO\n10,0,0,0,FO\n11,5,5,1,FI\n"


def rows(n: int, seed: int = 1) -> pd.DataFrame:
    """Rows of real modules; the first charge is the number of the row."""
    rng = np.random.default_rng(seed)
    which = rng.integers(len(modules().layer), size=n)
    table = pd.DataFrame(rng.integers(0, 50, (n, 48)) * (rng.random((n, 48)) < 0.1), columns=CALQ_COLUMNS)
    table["CALQ_0"] = np.arange(n)
    return table.assign(entry=np.arange(n) // 7, layer=modules().layer[which], waferu=modules().u[which],
                        waferv=modules().v[which], zside=1, SimEnergyFraction=rng.random(n) * (rng.random(n) < 0.5),
                        isHDM=modules().high_density[which], n_elinks=0)


def save(path: Path, table: pd.DataFrame) -> Path:
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_signal_allocation(tmp_path: Path, suffix: str) -> None:
    table = rows(500)
    save(tmp_path / f"in{suffix}", table)
    counts = transform.split(tmp_path / f"in{suffix}", tmp_path / "out", ".csv", None)
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
    counts = transform.split(save(tmp_path / "in.csv", table), tmp_path / "out", ".parquet",
                             ModuleLinks.read(tmp_path / "list.csv"))
    assert counts == {"left_out": 3, "nElinks_7": 2, "nElinks_13": 1}
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


def test_skim(tmp_path: Path) -> None:
    table = rows(400)
    which = {key: partial for *key_parts, partial in zip(modules().layer, modules().u, modules().v, modules().partial,
                                                         strict=True) for key in [tuple(map(int, key_parts))]}
    whole = np.array([not which[key] for key in zip(table.layer, table.waferu, table.waferv, strict=True)])
    charge = table[CALQ_COLUMNS].sum(axis=1) >= 200
    keep = whole & (table.SimEnergyFraction > 0) & charge
    counts = transform.skim(save(tmp_path / "in.parquet", table), tmp_path / "out.csv", True, 0.0, 200, None)
    assert_array_equal(pd.read_csv(tmp_path / "out.csv").CALQ_0, table.CALQ_0[keep])
    assert counts["kept"] == keep.sum() and counts["partial"] == (~whole).sum()
    assert counts["read"] == 400 == sum(counts[name] for name in ("kept", "partial", "sim_energy", "charge"))


def test_skim_by_list(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(MODULE_LIST)
    table = rows(4).assign(layer=[9, 9, 10, 12], waferu=[1, 1, 0, 5], waferv=[2, 3, 0, 5])
    links = ModuleLinks.read(tmp_path / "list.csv")
    transform.skim(save(tmp_path / "in.csv", table), tmp_path / "out.csv", True, None, 0, links)
    assert_array_equal(pd.read_csv(tmp_path / "out.csv").CALQ_0, [0, 2])


def test_nothing_left_writes_no_file(tmp_path: Path) -> None:
    save(tmp_path / "in.csv", rows(5))
    (tmp_path / "out").mkdir()
    save(tmp_path / "out" / "in.csv", rows(5))  # of an earlier run with other settings
    command = ["skim", f"{tmp_path}/in.csv", "--output", f"{tmp_path}/out", "--min-charge", "1000000"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2 and "no rows are left to write (read 5, " in result.output
    assert not list((tmp_path / "out").glob("*.csv"))
    with pytest.raises(InputError, match=r"out.csv: not written, as no rows are left"), \
            open_writer(tmp_path / "out.csv"):
        pass


def test_one_empty_part_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / "a.csv", rows(5).assign(CALQ_1=0))
    save(tmp_path / "in" / "b.csv", rows(5).assign(CALQ_1=5000))
    command = ["skim", f"{tmp_path}/in", "--output", f"{tmp_path}/out", "--min-charge", "5000", "--partial",
               "--min-sim-energy", "-1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "out").glob("*.csv")] == ["b.csv"]


def test_another_allocation_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(MODULE_LIST)
    path = save(tmp_path / "in.csv", rows(3).assign(layer=9, waferu=1, waferv=2))
    transform.split(path, tmp_path / "out", ".csv", None)
    transform.split(path, tmp_path / "out", ".csv", ModuleLinks.read(tmp_path / "list.csv"))
    assert [file.parent.name for file in (tmp_path / "out").rglob("*.csv")] == ["nElinks_7"]


def test_shuffle_keeps_every_row_and_mixes_files(tmp_path: Path) -> None:
    first, second = rows(700), rows(500, seed=2).assign(CALQ_0=np.arange(700, 1200))
    paths = [save(tmp_path / "a.csv", first), save(tmp_path / "b.parquet", second)]
    transform.shuffle(paths, tmp_path / "s.parquet", seed=3, rows_in_memory=250)
    shuffled = pd.read_parquet(tmp_path / "s.parquet")
    everything = pd.concat([first, second], ignore_index=True)
    pd.testing.assert_frame_equal(shuffled.sort_values("CALQ_0", ignore_index=True), everything, check_dtype=False)
    place = np.argsort(shuffled.CALQ_0.to_numpy())
    assert abs(np.corrcoef(place, np.arange(1200))[0, 1]) < 0.1
    transform.shuffle(paths, tmp_path / "t.parquet", seed=3, rows_in_memory=250)
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "t.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.parquet", "s.parquet", "t.parquet"]


def test_shuffle_holds_few_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No table that it takes rows from is larger than the memory it was given."""
    save(tmp_path / "a.parquet", rows(5000))
    largest = []
    original = pa_parquet.read_table
    monkeypatch.setattr(pa_parquet, "read_table", lambda path: (largest.append(len(t := original(path))), t)[1])
    transform.shuffle([tmp_path / "a.parquet"], tmp_path / "s.csv", seed=3, rows_in_memory=1000)
    assert len(largest) == 6 and max(largest) <= 1000 and sum(largest) == 5000


def test_every_order_is_equally_likely(tmp_path: Path) -> None:
    save(tmp_path / "a.parquet", rows(3))
    orders = set()
    for seed in range(40):
        transform.shuffle([tmp_path / "a.parquet"], tmp_path / "s.parquet", seed, rows_in_memory=1)
        orders.add(tuple(pd.read_parquet(tmp_path / "s.parquet").CALQ_0))
    assert len(orders) == 6


def test_double(tmp_path: Path) -> None:
    table = rows(50)
    table.loc[:, "CALQ_47"] = MAX_CALQ - 1
    transform.double(save(tmp_path / "in.parquet", table.assign(RX_DATA_0=5)), tmp_path / "out.csv", seed=1)
    doubled = pd.read_csv(tmp_path / "out.csv")
    pd.testing.assert_frame_equal(doubled[:50], table, check_dtype=False)
    overlay = doubled[50:].reset_index(drop=True)
    partner = overlay.CALQ_0 - table.CALQ_0
    assert sorted(partner) == list(range(50)) and (partner != table.CALQ_0).all()
    expected = table[CALQ_COLUMNS].to_numpy() + table[CALQ_COLUMNS].to_numpy()[partner]
    assert_array_equal(overlay[CALQ_COLUMNS], np.minimum(expected, MAX_CALQ))
    assert_array_equal(overlay.SimEnergyFraction, table.SimEnergyFraction)


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


@pytest.mark.parametrize(("command", "folder"), [
    (["skim", "--partial", "--min-sim-energy", "-1"], ""),
    (["double"], ""),
    (["split"], "nElinks_5"),  # where it may write, though not these rows
    (["split"], "nElinks_2"),
    (["shuffle"], "in.csv"),
])
@pytest.mark.parametrize("way", ["", "link", "new/.."])
def test_inputs_are_never_written_over(tmp_path: Path, command: list[str], folder: str, way: str) -> None:
    """Nor deleted, by whatever name they are given, and nothing else is written."""
    output = tmp_path / "out" / "in.csv" if folder == "in.csv" else tmp_path / "out"
    path = output if folder == "in.csv" else output / folder / "in.csv"
    path.parent.mkdir(parents=True)
    save(path, rows(5).assign(layer=1, **dict.fromkeys(CALQ_COLUMNS, 0)))  # no charge: nothing of it is left to write
    save(tmp_path / "other.csv", rows(5))
    (tmp_path / "link").symlink_to(tmp_path)
    output = tmp_path / way / output.relative_to(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.csv")}
    result = CliRunner().invoke(app, [*command, str(tmp_path / "other.csv"), str(path), "--output", str(output)])
    assert result.exit_code == 2 and "is also an input; choose another --output" in result.output, result.output
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert not (tmp_path / "new").exists()


def test_columns_that_csv_cannot_hold(tmp_path: Path) -> None:
    path = save(tmp_path / "in.parquet", rows(3).assign(x=[[1], [2], [3]]))
    result = CliRunner().invoke(app, ["shuffle", str(path), "--output", str(tmp_path / "out.csv")])
    assert result.exit_code == 2 and "out.csv: this format cannot hold one of the columns" in result.output
    assert not (tmp_path / "out.csv").exists()


def test_a_list_of_modules_is_an_input_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    save(tmp_path / "in" / "list.csv", rows(5))
    (tmp_path / "out" / "list.csv").write_text(MODULE_LIST)
    command = ["skim", f"{tmp_path}/in", "--modules", f"{tmp_path}/out/list.csv", "--output", f"{tmp_path}/out"]
    assert CliRunner().invoke(app, command).exit_code == 2
    assert (tmp_path / "out" / "list.csv").read_text() == MODULE_LIST


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
        transform.split(tmp_path / "in.csv", tmp_path / "out", ".csv", None)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").rglob("*.csv")) if (tmp_path / "out").exists() else True


def test_command_line(tmp_path: Path) -> None:
    """The whole way from rows to a shuffled file of one link budget; bad input is one line."""
    for n in range(3):
        save(tmp_path / f"calq_{n}.csv", rows(300, seed=n))
    steps = (["split", str(tmp_path), "--output", str(tmp_path / "split")],
             ["skim", str(tmp_path / "split" / "nElinks_5"), "--output", str(tmp_path / "skim")],
             ["double", str(tmp_path / "skim"), "--output", str(tmp_path / "double")],
             ["shuffle", str(tmp_path / "double"), "--output", str(tmp_path / "training.csv")])
    for step in steps:
        result = CliRunner().invoke(app, step)
        assert result.exit_code == 0, result.output
    assert set(pd.read_csv(tmp_path / "training.csv").layer) == {9}
    (tmp_path / "cut.csv").write_text((tmp_path / "calq_0.csv").read_text()[:-30])
    result = CliRunner().invoke(app, ["skim", str(tmp_path / "cut.csv"), "--output", str(tmp_path / "none")])
    assert result.exit_code == 2 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    bad = ["split", str(tmp_path / "calq_0.csv"), "--allocation", "pile-up", "--output", "x"]
    result = CliRunner().invoke(app, bad)
    assert result.exit_code == 2 and "--allocation pile-up and --modules FILE go together" in result.output
