"""Split, skim, shuffle and double: every row accounted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pa_parquet
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.samples.module_tables import MODULE_LIST, rows, save
from models.calq_io import CALQ_COLUMNS, MAX_CALQ
from models.errors import InputError
from training.commands.data import app
from training.production import transform
from training.production.allocation import ModuleLinks
from training.production.geometry import modules
from training.production.stream import open_writer


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


def test_a_module_at_the_minimum_charge_is_kept(tmp_path: Path) -> None:
    table = rows(3).assign(**dict.fromkeys(CALQ_COLUMNS[1:], 0), CALQ_0=[199, 200, 201])
    transform.skim(save(tmp_path / "in.csv", table), tmp_path / "out.csv", False, None, 200, None)
    assert_array_equal(pd.read_csv(tmp_path / "out.csv").CALQ_0, [200, 201])


def test_nothing_left_writes_no_file(tmp_path: Path) -> None:
    save(tmp_path / "in.csv", rows(5))
    (tmp_path / "out").mkdir()
    save(tmp_path / "out" / "in.csv", rows(5))  # of an earlier run with other settings
    command = ["skim", f"{tmp_path}/in.csv", "--output", f"{tmp_path}/out", "--min-charge", "1000000"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2 and "no rows are left to write (5 read, " in result.output
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


def test_a_list_of_modules_is_an_input_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    save(tmp_path / "in" / "list.csv", rows(5))
    (tmp_path / "out" / "list.csv").write_text(MODULE_LIST)
    command = ["skim", f"{tmp_path}/in", "--modules", f"{tmp_path}/out/list.csv", "--output", f"{tmp_path}/out"]
    assert CliRunner().invoke(app, command).exit_code == 2
    assert (tmp_path / "out" / "list.csv").read_text() == MODULE_LIST


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
    assert result.exit_code == 2 and "--allocation pile-up and --modules FILE need each other" in result.output
