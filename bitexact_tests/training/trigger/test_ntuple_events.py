"""Ntuples with generated particles as events of the trigger: the same charges, and the particles at the front face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from bitexact_tests.samples import ntuples
from models.errors import InputError
from training.production.geometry import modules
from training.production.ntuple import read_modules
from training.results.trigger import TriggerStudy
from training.trigger.events import EventSample, part_file, read
from training.trigger.frames import FrontEnd
from training.trigger.ntuple_events import parts, read_generated
from training.trigger.study import Job, check, reconstruct, simulate, with_rates
from training.trigger.summary import summarise
from training.trigger.system import System

pytest.importorskip("uproot")
pytest.importorskip("pythia8mc")

ELECTRON = {"gen_pt": [40.0, 60.0, 30.0, 5.0], "gen_eta": [2.0, -2.2, 2.1, 0.3], "gen_phi": [1.0, -2.0, 0.5, 0.0],
            "gen_pdgid": [11, -11, 22, 11], "gen_status": [1, 1, 1, 1]}


def with_particles(rng: np.random.Generator, particles: dict[str, list[float]] = ELECTRON, n_modules: int = 20
                   ) -> ntuples.Event:
    return ntuples.event(rng, n_modules) | {
        name: np.array(values, np.int32 if name in ("gen_pdgid", "gen_status") else np.float32)
        for name, values in particles.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Thirteen events, numbered otherwise."""
    rng = np.random.default_rng(1)
    return ntuples.write(tmp_path / "file.root", [with_particles(rng) for _ in range(13)],
                         numbers=[1000 + 7 * i for i in range(13)])


def converted(path: Path, folder: Path, n_events: int, name: str = "electrons") -> list[Path]:
    for part in parts(name, path, n_events, folder):
        part.function(**part.arguments)
    return [part.outputs[0] for part in parts(name, path, n_events, folder)]


def test_charges_are_those_of_the_ntuple(path: Path, tmp_path: Path) -> None:
    found = [read(one, n) for one, n in zip(converted(path, tmp_path, 13), (10, 3), strict=True)]
    expected = list(read_modules(path, events_per_table=1))
    here = modules()
    for event, table in enumerate(expected):
        part = found[event // 10]
        rows = np.flatnonzero(part.event == event)
        assert len(rows) == len(table) == 20
        assert_array_equal(here.layer[part.module[rows]], table.info.layer)
        assert_array_equal(here.u[part.module[rows]], table.info.waferu)
        assert_array_equal(2 * part.endcap[rows] - 1, table.info.zside)
        assert_array_equal(np.sort(part.calq[rows], axis=1), np.sort(table.calq, axis=1))
    assert any(table.calq.any() for table in expected)


def test_registers_of_the_file_are_kept(tmp_path: Path) -> None:
    """A file in which every cell is at eta 3 has smaller transverse charges."""
    rng, charges = np.random.default_rng(2), []
    one = with_particles(rng)
    for eta in (1.5, 3.0):
        file = ntuples.write(tmp_path / f"{eta}.root", [one | {"tc_eta": np.full_like(one["tc_eta"], eta)}])
        charges.append(int(read(converted(file, tmp_path / str(eta), 1)[0], 1).calq.sum()))
    assert charges[1] == pytest.approx(charges[0] * np.cosh(1.5) / np.cosh(3.0), rel=0.02)


def test_particles_of_the_kind_of_the_sample(path: Path) -> None:
    found = read_generated("electrons", path, 2, 4)
    assert_array_equal(found.event, [2, 2, 3, 3])
    assert_array_equal(found.pdg_id, [11, -11] * 2)
    assert_array_equal(found.side, [1, -1] * 2)
    np.testing.assert_allclose(found.pt, [40, 60] * 2)
    np.testing.assert_allclose(found.eta, [2.0, -2.2] * 2, atol=0.01)
    assert len(read_generated("photons", path, 0, 1).pt) == 1
    assert len(read_generated("minbias", path, 0, 13).pt) == 0
    assert len(read_generated("jets", path, 0, 1).pt) == 3


@pytest.mark.parametrize(("sample", "found"), [("electrons", [1.7, -2.8]), ("jets", [1.5, 1.7, -2.8, 2.95])])
def test_single_particles_in_the_range_of_the_gun(sample: str, found: list[float], tmp_path: Path) -> None:
    """Of jets, all that reach an endcap."""
    four = {"gen_pt": [50.0] * 4, "gen_eta": [1.5, 1.7, -2.8, 2.95], "gen_phi": [0.0] * 4, "gen_pdgid": [11] * 4}
    file = ntuples.write(tmp_path / "a.root", [with_particles(np.random.default_rng(7), four)])
    np.testing.assert_allclose(read_generated(sample, file, 0, 1).eta, found, atol=0.01)


def test_charged_particles_bend(path: Path) -> None:
    """By half of the turn of a circle of radius pt / (0.3 B) over the way to the front face, either way."""
    found = read_generated("electrons", path, 0, 1)
    turn = 0.3 * 3.8 * (3.21 / np.sinh(np.array([2.0, 2.2]))) / np.array([40, 60]) / 2
    np.testing.assert_allclose(found.phi - np.array([1.0, -2.0]), turn * np.array([1, -1]), atol=2e-4)
    assert read_generated("photons", path, 0, 1).phi[0] == pytest.approx(0.5, abs=1e-6)


def test_unstable_ones_and_the_place_of_the_collision(tmp_path: Path) -> None:
    one = with_particles(np.random.default_rng(3), ELECTRON | {"gen_status": [1, 2, 1, 1]})
    file = ntuples.write(tmp_path / "a.root", [one])
    assert_array_equal(read_generated("electrons", file, 0, 1).pdg_id, [11])
    import uproot  # not on every machine

    with uproot.recreate(tmp_path / "b.root") as out:
        out.mktree(ntuples.TREE, ntuples.branches([one]) | {"vtx_z": np.array([10.0], np.float32)})
    moved = read_generated("electrons", tmp_path / "b.root", 0, 1)
    assert np.sinh(moved.eta[0]) == pytest.approx(np.sinh(2.0) * 321 / 311, rel=1e-3)


@pytest.mark.parametrize("place", [np.nan, 400.0])
def test_collisions_are_between_the_endcaps(place: float, tmp_path: Path) -> None:
    import uproot  # not on every machine

    with uproot.recreate(tmp_path / "a.root") as out:
        one = ntuples.branches([with_particles(np.random.default_rng(8))])
        out.mktree(ntuples.TREE, one | {"vtx_z": np.array([place], np.float32)})
    with pytest.raises(InputError, match=r"a.root: event 0, branch vtx_z: (nan|400), expected a place between"):
        read_generated("electrons", tmp_path / "a.root", 0, 1)


@pytest.mark.filterwarnings("error")
def test_particles_in_the_beam_pipe_are_left_out(tmp_path: Path) -> None:
    """Without a warning that their momentum is infinite."""
    one = with_particles(np.random.default_rng(9), ELECTRON | {"gen_eta": [2.0, 800.0, 2.1, 2.2]})
    assert len(read_generated("jets", ntuples.write(tmp_path / "a.root", [one]), 0, 1).pt) == 3


@pytest.mark.parametrize(("change", "message"), [
    ({"gen_pdgid": [11, 987654, 22, 11], "gen_status": [1] * 4}, r"a.root: event 0, branch gen_pdgid: 987654, exp"),
    ({"gen_pt": [40.0, np.inf, 1.0, 1.0]}, r"a.root: event 0, branch gen_pt: inf, expected a finite number"),
    ({"gen_pt": [40.0, -1.0, 1.0, 1.0]}, r"a.root: event 0, branch gen_pt: -1, expected at least 0 GeV"),
    ({"gen_phi": [1.0], "vtx_z": [0.0]}, r"a.root: branches gen_pt, vtx_z: expected a list and a number per event"),
    ({"gen_phi": [1.0]}, r"a.root: branch gen_phi: expected as many values per event as in gen_pt"),
])
def test_what_is_refused(change: dict[str, list[float]], message: str, tmp_path: Path) -> None:
    file = ntuples.write(tmp_path / "a.root", [with_particles(np.random.default_rng(4), ELECTRON | change)])
    with pytest.raises(InputError, match=message):
        read_generated("jets", file, 0, 1)


def test_a_file_that_does_not_fit_is_refused_before_anything_is_made(path: Path, tmp_path: Path) -> None:
    job = Job((EventSample("electrons", 0.0, ntuple=path),), (System.load("bc"),), 14, tmp_path / "out", tmp_path)
    with pytest.raises(InputError, match=r"file.root: 13 events, expected at least the 14 of --events"):
        check(job)
    rng = np.random.default_rng(5)
    bare = ntuples.write(tmp_path / "bare.root", [ntuples.event(rng, 3)])
    with pytest.raises(InputError, match=r"bare.root: branch 'gen_pt' is missing"):
        check(Job((EventSample("electrons", 0.0, ntuple=bare),), job.systems, 1, tmp_path / "out", tmp_path))
    assert not (tmp_path / "out").exists()
    check(Job((EventSample("minbias", 0.0, ntuple=bare),), job.systems, 1, tmp_path / "out", tmp_path))
    assert len(read_generated("minbias", bare, 0, 1).pt) == 0


def test_more_events_go_on_with_those_that_are_there(path: Path, tmp_path: Path) -> None:
    made: list[str] = []
    for n_events in (3, 12, 13, 5):
        job = Job((EventSample("electrons", 0.0, ntuple=path),), (System.load("bc"),), n_events, tmp_path, tmp_path)
        simulate(job, done=lambda name, _counts: made.append(name))
        found = summarise(job, reconstruct(job)).system("BC").on("electrons")
        assert found.objects is not None and found.objects.n_generated == 2 * n_events
    assert made == ["events_0000000", "events_0000010"]


def test_events_beyond_the_end_of_a_file_are_no_bunch_crossings(tmp_path: Path) -> None:
    """Of thirteen events, the last three are worth what they are alone: there are no idle modules behind them."""
    rng = np.random.default_rng(6)
    all_events, chips = [with_particles(rng) for _ in range(13)], FrontEnd(System.load("ts"))
    occupancies = []
    for n, used in ((13, all_events), (3, all_events[10:])):
        file = ntuples.write(tmp_path / f"{n}.root", used)
        last = read(converted(file, tmp_path / str(n), n)[-1])
        assert len(last.numbers) == 3
        occupancies.append(chips.occupancy(last, chips.receive(last)))
    assert occupancies[0] == occupancies[1]


def test_a_whole_study(path: Path, tmp_path: Path) -> None:
    samples = with_rates([EventSample("electrons", 200.0, ntuple=path)])
    assert [one.name for one in samples] == ["electrons"], "minimum bias of another simulation gives no rates"
    job = Job(samples, (System.load("everything"), System.load("bc")), 12, tmp_path / "out", tmp_path)
    check(job)
    simulate(job)
    found: TriggerStudy = summarise(job, reconstruct(job))
    of_everything = found.system("everything").on("electrons")
    assert of_everything.objects is not None and of_everything.objects.n_generated == 24
    assert of_everything.links.charge == 1.0 and 0 < found.system("BC").on("electrons").links.charge < 1
    again = part_file(samples[0].folder(job.events), 0)
    assert again.is_file()
    path.write_bytes(path.read_bytes())  # another file of this name is converted anew
    assert part_file(samples[0].folder(job.events), 0) != again
