"""ROOT ntuples to charges: against the chip's emulator with the written register files, cell by cell, and bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.samples.ntuples import Event, branches, event, write
from emulator.chip import EconT
from emulator.codes import CHARGE
from emulator.links import ERX
from models.calq_io import read_calq
from models.errors import InputError
from models.trigger_cells import image_order
from training.commands.data import app
from training.production import steps
from training.production.farm import Part
from training.production.geometry import cell_from_uv, modules
from training.production.modules import SLOT, calibration, chip_charges, encode, pack
from training.production.ntuple import TREE, find_branches, read_modules

uproot = pytest.importorskip("uproot")


@pytest.fixture(scope="module")
def events() -> list[Event]:
    rng = np.random.default_rng(11)
    return [event(rng, n, cells) for n, cells in ((40, 48), (1, 48), (25, 20), (60, 48))]


def by_hand(one: Event) -> dict[tuple[int, ...], tuple[np.ndarray, float, np.ndarray]]:
    """Charges in TC order, part of the energy and eta of each module, cell after cell in plain Python."""
    found: dict[tuple[int, ...], tuple[np.ndarray, float, np.ndarray]] = {}
    total = float(one["tc_simenergy"].astype(float).sum())
    for i in range(len(one["tc_layer"])):
        key = tuple(int(one[name][i]) for name in ("tc_zside", "tc_layer", "tc_waferu", "tc_waferv"))
        charge, energy, eta = found.get(key, (np.zeros(48, int), 0.0, np.full(48, np.nan)))
        cell = int(cell_from_uv(one["tc_cellu"][i : i + 1], one["tc_cellv"][i : i + 1])[0])
        charge[cell], eta[cell] = one["tc_uncompressedCharge"][i], one["tc_eta"][i]
        found[key] = charge, energy + float(one["tc_simenergy"][i]) / total, eta
    return found


@pytest.mark.parametrize("with_eta", [True, False])
def test_modules_equal_those_made_by_hand(tmp_path: Path, events: list[Event], with_eta: bool) -> None:
    if not with_eta:
        events = [{name: column for name, column in one.items() if name != "tc_eta"} for one in events]
    path = write(tmp_path / "n.root", events, numbers=[70, 71, 72, 90])
    tables = list(read_modules(path))
    assert sum(map(len, tables)) == 126
    done = 0
    for table in tables:
        for row in range(len(table)):
            info = table.info.iloc[row]
            one = events[[70, 71, 72, 90].index(info.entry)]
            key = tuple(int(info[name]) for name in ("zside", "layer", "waferu", "waferv"))
            charge, energy, eta = by_hand(one | {"tc_eta": one.get("tc_eta", np.zeros(len(one["tc_layer"])))})[key]
            known = (modules().layer == info.layer) & (modules().u == info.waferu) & (modules().v == info.waferv)
            (where,) = np.flatnonzero(known)
            registers = calibration(modules().eta[where])
            if with_eta:
                registers = np.where(np.isnan(eta), registers, calibration(np.nan_to_num(eta)))
            dense = np.array([info.isHDM])
            assert info.isHDM == modules().high_density[where]
            words = pack(encode(charge[None], dense))
            assert_array_equal(table.erx[row], words[0])
            assert_array_equal(table.calq[row], chip_charges(words, registers[None], dense)[0])
            assert info.SimEnergyFraction == pytest.approx(energy, rel=1e-6)
            done += 1
    assert done == 126


def test_codes_are_those_of_the_readout() -> None:
    """Every charge below 2^12, powers of two and their neighbours beyond, saturation; by density."""
    edges = 1 << np.arange(12, 22)
    charge = np.concatenate([np.arange(1 << 12), edges - 1, edges, edges + 1])
    charge = np.resize(charge, (-(-len(charge) // 48), 48))
    for dense, dropped in ((False, 1), (True, 3)):
        code = encode(charge, np.full(len(charge), dense))
        assert_array_equal(code, CHARGE.encode(charge, dropped), err_msg=f"dropped bits: {dropped}")


def test_words_carry_the_charges_to_their_place() -> None:
    """A single charged cell arrives at its place of the image, whatever the module."""
    charge = np.eye(48, dtype=np.int64) * 40
    dense = np.zeros(48, dtype=bool)
    calq = chip_charges(pack(encode(charge, dense)), np.full((48, 48), 2048), dense)
    assert_array_equal(calq.argmax(axis=1), np.argsort(image_order()))
    assert_array_equal(np.sort(SLOT), np.arange(48))


def parts_of(path: Path, output: Path) -> list[Part]:
    """Parts that also write link words."""
    return steps.ntuple_parts([path], output, events_per_part=10, suffix=".parquet", order="image", tree=None,
                              charge=None, with_words=True)


def test_the_chip_gives_the_same_charges(tmp_path: Path, events: list[Event]) -> None:
    """The files by module run through the emulator of the chip with their own registers."""
    path = write(tmp_path / "n.root", events)
    (part,) = parts_of(path, tmp_path / "out")
    outcome = part.function(**part.arguments)
    assert outcome.counts == {"events": 4, "modules": 126}
    assert part.function(**part.arguments).files == outcome.files, "its own folder is made anew"
    table = read_calq(tmp_path / "out" / "n_0000000.parquet", "image")
    folder = tmp_path / "out" / "erx" / "n_0000000"
    checked = 0
    for (side, layer, u, v), rows in table.extra.groupby(["zside", "layer", "waferu", "waferv"]).indices.items():
        name = f"wafer_Z{side}_L{layer}_U{u}_V{v}"
        chip = EconT.from_yaml(folder / f"{name}.yaml")
        assert_array_equal(chip.calq(ERX.read_all(folder / f"{name}.csv")), table.calq[rows], err_msg=name)
        checked += len(rows)
    assert checked == 126


def test_folder_of_somebody_else_is_not_replaced_by_link_words(tmp_path: Path, events: list[Event]) -> None:
    path = write(tmp_path / "n.root", events)
    (part,) = parts_of(path, tmp_path / "out")
    thesis = tmp_path / "out" / "erx" / "n_0000000" / "thesis.tex"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("years")
    with pytest.raises(InputError, match="a folder with other files"):
        part.function(**part.arguments)
    assert thesis.read_text() == "years"


def test_codes_of_the_ntuple_are_taken_as_they_are(tmp_path: Path, events: list[Event]) -> None:
    coded = []
    for one in events:
        dense = np.array([modules().high_density[(modules().layer == a) & (modules().u == b) & (modules().v == c)][0]
                          for a, b, c in zip(one["tc_layer"], one["tc_waferu"], one["tc_waferv"], strict=True)])
        code = encode(one["tc_uncompressedCharge"][:, None], dense)[:, 0]
        coded.append({name: column for name, column in one.items() if name != "tc_uncompressedCharge"}
                     | {"tc_compressedCharge": code.astype(np.uint32)})
    linear = next(read_modules(write(tmp_path / "linear.root", events)))
    compressed = next(read_modules(write(tmp_path / "coded.root", coded)))
    assert_array_equal(linear.calq, compressed.calq)


def test_scintillator_is_left_out(tmp_path: Path, events: list[Event]) -> None:
    one = dict(events[0])
    one["tc_subdet"] = one["tc_subdet"].copy()
    one["tc_subdet"][one["tc_layer"] == one["tc_layer"][0]] = 10
    table = next(read_modules(write(tmp_path / "n.root", [one])))
    assert 0 < len(table) < 40 and not (table.info.layer == one["tc_layer"][0]).any()


def test_pieces_make_up_the_file(tmp_path: Path, events: list[Event]) -> None:
    """However little is read at a time, the modules are the same."""
    path = write(tmp_path / "n.root", events)
    whole = next(read_modules(path))
    pieces = list(read_modules(path, step=2, events_per_table=1))
    assert len(pieces) == 4
    assert_array_equal(np.concatenate([piece.calq for piece in pieces]), whole.calq)
    assert_array_equal(np.concatenate([piece.info.entry for piece in pieces]), whole.info.entry)


def test_event_ranges_make_up_the_file(tmp_path: Path, events: list[Event]) -> None:
    path = write(tmp_path / "n.root", events)
    whole = next(read_modules(path))
    first, second = next(read_modules(path, 0, 3)), next(read_modules(path, 3, 4))
    assert_array_equal(np.concatenate([first.erx, second.erx]), whole.erx)
    assert_array_equal(np.concatenate([first.info.entry, second.info.entry]), whole.info.entry)


@pytest.mark.parametrize(("change", "message"), [
    ({"tc_waferu": None, "tc_wafer_u": "tc_waferu"}, r"branch 'tc_waferu' is missing; did you mean 'tc_wafer_u'\?"),
    ({"tc_simenergy": None, "tc_simEnergy": "tc_simenergy"}, "'tc_simenergy' is missing; did you mean 'tc_simEnergy'"),
    ({"tc_cellv": None}, "branch 'tc_cellv' is missing; did you mean 'tc_cellu'"),
    ({"tc_uncompressedCharge": None}, "branch 'tc_uncompressedCharge' is missing"),
])
def test_missing_branch_names_the_nearest(
    tmp_path: Path, events: list[Event], change: dict[str, str | None], message: str
) -> None:
    renamed = [{name: column for name, column in one.items() if name not in change}
               | {new: one[old] for new, old in change.items() if old} for one in events]
    with pytest.raises(InputError, match=message):
        next(read_modules(write(tmp_path / "n.root", renamed)))


@pytest.mark.parametrize(("branch", "value", "message"), [
    ("tc_layer", 51, "event 2, branch tc_layer: 51, expected 1..50"),
    ("tc_waferv", -14, "event 2, branch tc_waferv: -14, expected -13..13"),
    ("tc_cellu", 9, "event 2, branches tc_cellu, tc_cellv: 9, .* expected one of the 48 trigger cells"),
    ("tc_simenergy", -1, "event 2, branch tc_simenergy: -1.0, expected a finite number of at least 0"),
    ("tc_simenergy", np.nan, "event 2, branch tc_simenergy: nan, expected a finite number of at least 0"),
    ("tc_simenergy", np.inf, "event 2, branch tc_simenergy: inf, expected a finite number of at least 0"),
    ("tc_eta", np.nan, "event 2, branch tc_eta: nan, expected a finite number$"),
    ("tc_eta", -np.inf, "event 2, branch tc_eta: -inf, expected a finite number$"),
    ("tc_zside", 0, "event 2, branch tc_zside: 0, expected -1 or 1"),
])
def test_bad_value_names_event_and_branch(
    tmp_path: Path, events: list[Event], branch: str, value: float, message: str
) -> None:
    changed = [dict(one) for one in events]
    changed[2][branch] = changed[2][branch].copy()
    changed[2][branch][5] = value
    with pytest.raises(InputError, match=message):
        next(read_modules(write(tmp_path / "n.root", changed)))


def test_repeated_cell(tmp_path: Path, events: list[Event]) -> None:
    twice = {name: np.concatenate([column, column[:1]]) for name, column in events[1].items()}
    with pytest.raises(InputError, match=r"event 1: trigger cell .* is given twice"):
        next(read_modules(write(tmp_path / "n.root", [events[0], twice])))


def test_other_bad_files(tmp_path: Path, events: list[Event]) -> None:
    path = write(tmp_path / "n.root", events, tree="hgcalTriggerNtuplizer/HGCalNtuple")
    with pytest.raises(InputError, match=r"no tree .*did you mean 'hgcalTriggerNtuplizer/HGCalNtuple'"):
        next(read_modules(path, tree=TREE))
    bad = tmp_path / "bad.root"
    bad.write_bytes(b"not a ROOT file")
    with pytest.raises(InputError, match=r"bad\.root: not a ROOT file$"):
        next(read_modules(bad))
    with pytest.raises(InputError, match="no such file"):
        next(read_modules(tmp_path / "none.root"))
    with pytest.raises(InputError, match="is a folder, expected a ROOT file"):
        next(read_modules(tmp_path))


def test_rntuple_is_read_as_a_tree(tmp_path: Path, events: list[Event]) -> None:
    whole = next(read_modules(write(tmp_path / "tree.root", events, numbers=[70, 71, 72, 90])))
    with uproot.recreate(tmp_path / "rntuple.root") as file:
        file.mkrntuple("events", branches(events, numbers=[70, 71, 72, 90]))
    found = list(read_modules(tmp_path / "rntuple.root", step=2))
    for name in ("erx", "calq", "registers"):
        assert_array_equal(np.concatenate([getattr(table, name) for table in found]), getattr(whole, name))
    assert_array_equal(np.concatenate([table.info.SimEnergyFraction for table in found]), whole.info.SimEnergyFraction)


def test_a_tree_is_chosen_by_its_cycle(tmp_path: Path, events: list[Event]) -> None:
    """A job that saves its tree now and then leaves several cycles of it: without one the highest is read."""
    with uproot.recreate(tmp_path / "n.root") as file:
        for some in (events[:2], events):
            file.mktree(TREE, branches(some))
    n_modules = {tree: sum(map(len, read_modules(tmp_path / "n.root", tree=tree)))
                 for tree in (None, TREE, f"{TREE};1", f"{TREE};2")}
    assert n_modules == {None: 126, TREE: 126, f"{TREE};1": 41, f"{TREE};2": 126}
    with pytest.raises(InputError, match=r"no tree 'hgcal.*;3'"):
        next(read_modules(tmp_path / "n.root", tree=f"{TREE};3"))


def test_the_only_tree_that_fits_is_read(tmp_path: Path, events: list[Event]) -> None:
    with uproot.recreate(tmp_path / "n.root") as file:
        file.mktree("metadata", {"version": np.arange(3)})
        file.mktree("l1/primitives", branches(events))
    assert sum(map(len, read_modules(tmp_path / "n.root"))) == 126
    with pytest.raises(InputError, match=f"no tree '{TREE}'.*trees: l1/primitives, metadata"):
        next(read_modules(tmp_path / "n.root", charge="tc_data"))
    with uproot.update(tmp_path / "n.root") as file:
        file.mktree("l1/others", branches(events))
    with pytest.raises(InputError, match=r"several trees have the branches \(l1/others, l1/primitives\); choose one"):
        next(read_modules(tmp_path / "n.root"))


def test_other_objects_of_a_file_are_named_with_their_kind(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "n.root") as file:
        file["charges"] = np.histogram([1, 2, 3])
    with pytest.raises(InputError, match=r"trees: charges \(TH1D\)"):
        next(read_modules(tmp_path / "n.root"))


def test_equal_names_in_many_folders(tmp_path: Path, events: list[Event]) -> None:
    """As batch systems leave them: parts are named by the folder that differs, and all are converted."""
    for job, some in (("1", events[:1]), ("2", events[1:3])):
        (tmp_path / "jobs" / job / "out").mkdir(parents=True)
        write(tmp_path / "jobs" / job / "out" / "ntuple.root", some)
    files = [str(tmp_path / "jobs" / job / "out" / "ntuple.root") for job in "12"]
    result = CliRunner().invoke(app, ["from-ntuple", *files, "--output", str(tmp_path / "calq")])
    assert result.exit_code == 0, result.output
    names = [file.name for file in sorted((tmp_path / "calq").glob("*.parquet"))]
    assert names == ["1_ntuple_0000000.parquet", "2_ntuple_0000000.parquet"]
    assert [len(read_calq(tmp_path / "calq" / name).calq) for name in names] == [40, 26]
    result = CliRunner().invoke(app, ["from-ntuple", files[0], files[0], "--output", str(tmp_path / "twice")])
    assert result.exit_code == 2 and "two parts of this job would write" in result.stderr


def test_branches_of_older_ntuples() -> None:
    names = ["tc_zside", "tc_layer", "tc_waferu", "tc_waferv", "tc_cell", "tc_data", "tc_simenergy"]
    branches = find_branches("old.root", names)
    assert branches.cell == ("tc_cell",) and branches.charge == "tc_data"
    assert branches.names() == [*names[:4], "tc_cell", "tc_data", "tc_simenergy"]
