"""The study as a job: events once for all systems, finished parts kept, the same result whatever the workers."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from bitexact_tests.samples.trigger import shot
from models.errors import InputError
from models.weights import EncoderWeights
from training.fit.run import Run
from training.production.farm import FarmConfig
from training.production.geometry import modules
from training.production.source_digest import source_digest
from training.results.trigger import TriggerStudy
from training.trigger import events, study, summary
from training.trigger.cells import cells
from training.trigger.clusters import cluster
from training.trigger.display import displays
from training.trigger.events import EventSample, part_file, read
from training.trigger.frames import FrontEnd
from training.trigger.study import Job, clusters_of, reconstruct, simulate, truth_of
from training.trigger.summary import summarise
from training.trigger.system import System

SYSTEMS = tuple(System.load(name) for name in ("everything", "bc"))
SAMPLES = (EventSample("electrons", 0.0),)


def job(folder: Path, **changes: object) -> Job:
    return replace(Job(SAMPLES, SYSTEMS, 14, folder / "out", folder / "collisions"), **changes)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, TriggerStudy]:
    """Fourteen events: one part and a piece of the next."""
    one = job(tmp_path_factory.mktemp("study"))
    simulate(one)
    return one, summarise(one, reconstruct(one))


def test_electrons_of_the_gun(tmp_path: Path) -> None:
    here = shot(tmp_path)
    truth = here.truth
    assert_array_equal(truth.event, np.repeat(np.arange(10), 2))
    assert_array_equal(truth.side, np.tile([-1, 1], 10))
    assert (truth.eta * truth.side > 1.55).all() and (np.abs(truth.eta) < 3).all()
    assert ((truth.pt > 2) & (truth.pt < 100)).all() and set(np.abs(truth.pdg_id)) == {11}
    assert set(here.endcap) == {0, 1} and here.calq.any(axis=1).mean() > 0.9


def test_clusters_are_where_the_particles_are(tmp_path: Path) -> None:
    for name in ("photons", "electrons"):
        here = shot(tmp_path / name, name)
        found = cluster(cells(here, here.calq.astype(np.float32)), 0, SYSTEMS[0].clusters)
        # Near the beam, bins are smaller than cells: a shower may have two maxima there.
        for i in np.flatnonzero((here.truth.pt > 10) & (np.abs(here.truth.eta) < 2.6)):
            near = np.flatnonzero((found.event == here.truth.event[i]) & (found.endcap * 2 - 1 == here.truth.side[i]))
            best = near[np.argmax(found.pt[near])]
            turned = np.angle(np.exp(1j * (found.phi[best] - here.truth.phi[i])))
            assert np.hypot(found.eta[best] - here.truth.eta[i], turned) < 0.05
            assert 0.6 < found.pt[best] / here.truth.pt[i] < 1.2


def test_events_do_not_depend_on_their_part(tmp_path: Path) -> None:
    sample, first = EventSample("electrons", 0.0), part_file(tmp_path, 0)
    events.simulate_part(sample, 0, first, tmp_path)
    events.simulate_part(sample, 5, tmp_path / "events_0000005.parquet", tmp_path)
    one, other = read(first), read(tmp_path / "events_0000005.parquet")
    rows, same = one.event >= 5, other.event < 10
    assert_array_equal(one.calq[rows], other.calq[same])
    assert_array_equal(one.module[rows], other.module[same])
    assert_array_equal(one.truth.pt[one.truth.event >= 5], other.truth.pt[other.truth.event < 10])


def test_first_events_of_a_part(tmp_path: Path) -> None:
    whole = shot(tmp_path)
    some = shot(tmp_path, n_events=4)
    assert some.numbers == range(4) and set(some.event) == set(some.truth.event) == set(range(4))
    assert_array_equal(some.calq, whole.calq[whole.event < 4])


def test_modules_are_read_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all events, and of the first ones of a part."""
    whole = {n: shot(tmp_path, n_events=n) for n in (10, 4)}
    for at_once in (1, 7):
        monkeypatch.setattr(events, "MODULES_AT_ONCE", at_once)
        for n, expected in whole.items():
            assert_array_equal(shot(tmp_path, n_events=n).calq, expected.calq)


def test_a_file_that_is_not_of_events(tmp_path: Path) -> None:
    path = part_file(tmp_path, 0)
    path.write_text("nothing")
    with pytest.raises(InputError, match=r"events_0000000.parquet: not readable as simulated events"):
        read(path)


def test_unknown_sample() -> None:
    with pytest.raises(InputError, match=r"sample 'electron', expected .*; did you mean 'electrons'"):
        EventSample("electron")


def test_clusters_are_those_of_all_events_at_once(done: tuple[Job, TriggerStudy]) -> None:
    """Written in parts and read again, single precision."""
    one, _ = done
    folder = SAMPLES[0].folder(one.events)
    for system in SYSTEMS:
        found, parts = clusters_of(one, system, SAMPLES[0]), []
        for first, n in ((0, 10), (10, 4)):
            here = read(part_file(folder, first), n)
            received = FrontEnd(system).receive(here)
            parts.append(cluster(cells(here, received.charge), first, system.clusters))
        for field in fields(found):
            expected = np.concatenate([getattr(part, field.name) for part in parts])
            np.testing.assert_allclose(getattr(found, field.name), expected, rtol=1e-6, err_msg=field.name)
        assert set(found.event) <= set(range(14)) and set(found.event) >= {0, 9, 10, 13}
    assert_array_equal(truth_of(one, SAMPLES[0]).event, np.repeat(np.arange(14), 2))


def test_what_is_finished_is_kept(done: tuple[Job, TriggerStudy]) -> None:
    one, result = done
    made: list[str] = []
    again = job(one.output.parent)
    simulate(again, done=lambda name, _counts: made.append(name))
    counts = reconstruct(again, done=lambda name, _counts: made.append(name))
    assert not made
    assert summarise(again, counts) == result


def test_another_system_uses_the_same_events(done: tuple[Job, TriggerStudy]) -> None:
    one, _ = done
    made: list[str] = []
    more = job(one.output.parent, systems=(*SYSTEMS, System.load("stc")))
    simulate(more, done=lambda name, _counts: made.append(name))
    assert not made
    reconstruct(more, done=lambda name, _counts: made.append(name))
    assert len(made) == 2


def test_more_events_go_on_with_those_that_are_there(done: tuple[Job, TriggerStudy]) -> None:
    one, result = done
    made: list[str] = []
    more = job(one.output.parent, n_events=21)
    simulate(more, done=lambda name, _counts: made.append(name))
    reconstruct(more, done=lambda name, _counts: made.append(name))
    assert len(made) == 3
    assert summarise(one, reconstruct(one)) == result


def test_other_weights_have_other_clusters(random_runs: list[Path], tmp_path: Path) -> None:
    system = System.model_validate({"name": "a", "rules": [
        {"algorithm": "AE", "links": [5], "weights": str(tmp_path / "run")}, {"algorithm": "BC"}]})
    one, found = job(tmp_path, systems=(system,), n_events=1), []
    simulate(one)
    shutil.copytree(random_runs[0], tmp_path / "run")
    spec = Run(tmp_path / "run").config.encoder
    for seed in (3, 4):
        EncoderWeights.random(spec, seed, density=0.4).save(tmp_path / "run" / "weights.npz")
        reconstruct(one)
        found.append(clusters_of(one, system, SAMPLES[0]))
    assert found[0].layer_charge.shape != found[1].layer_charge.shape or not np.array_equal(
        found[0].layer_charge, found[1].layer_charge)


def test_another_decoder_has_other_clusters(random_runs: list[Path], tmp_path: Path) -> None:
    """Also in the same file, as of a training that goes on."""
    shutil.copytree(random_runs[0], tmp_path / "run")
    system = System.model_validate({"name": "a", "rules": [{"algorithm": "AE", "weights": str(tmp_path / "run")}]})
    before = study.sets_of(system)
    (tmp_path / "run" / "decoder.npz").write_bytes(b"another")
    assert study.sets_of(system) != before
    (tmp_path / "run" / "decoder.npz").unlink()
    with pytest.raises(InputError, match=r"the system: decoder: .*decoder.npz: no such file; expected a decoder"):
        study.check(job(tmp_path, systems=(system,)))


def test_lost_part_is_made_again(done: tuple[Job, TriggerStudy]) -> None:
    one, result = done
    lost = next((one.output / "clusters").glob(f"{one.systems[0].digest()}-*/*/events_0000010.parquet"))
    content = lost.read_bytes()
    lost.unlink()
    assert summarise(one, reconstruct(one)) == result
    assert lost.read_bytes() == content


def test_another_list_of_modules_of_the_same_name_has_other_clusters(done: tuple[Job, TriggerStudy], tmp_path: Path
                                                                     ) -> None:
    here, bits = modules(), []
    system = System.load("bc").with_links(str(tmp_path / "links.csv"), 0)
    one = job(done[0].output.parent, systems=(system,), n_events=1)
    for n_links in (1, 7):
        rows = "".join(f"{layer},{u},{v},{n_links}\n" for layer, u, v in zip(here.layer, here.u, here.v, strict=True))
        (tmp_path / "links.csv").write_text("Layer,ModU,ModV,ECONT_eTX\n" + rows)
        bits.append(summarise(one, reconstruct(one)).system("BC").on("electrons").links.bits)
    assert bits == [25, 221], "a frame of BC on one link and on seven"


def test_other_code_makes_events_and_clusters_anew(done: tuple[Job, TriggerStudy], monkeypatch: pytest.MonkeyPatch
                                                   ) -> None:
    one, _ = done
    before = SAMPLES[0].folder(one.events), study._parts(one, SYSTEMS[0], SAMPLES[0])[0].outputs
    with monkeypatch.context() as changed:
        changed.setattr(study, "source_digest", lambda *_names: "other")
        assert SAMPLES[0].folder(one.events) == before[0]
        assert study._parts(one, SYSTEMS[0], SAMPLES[0])[0].outputs != before[1]
    monkeypatch.setattr(events, "source_digest", lambda *_names: "other")
    assert SAMPLES[0].folder(one.events) != before[0]


@pytest.mark.parametrize("code", [events._CODE, study._CODE])
def test_code_that_is_named_is_there(code: tuple[str, ...]) -> None:
    assert len({source_digest(name) for name in code}) == len(code)


def test_a_file_that_is_not_of_clusters(tmp_path: Path) -> None:
    """Of the size that was noted, so that it counts as finished."""
    one = job(tmp_path, systems=SYSTEMS[:1], n_events=1)
    simulate(one)
    reconstruct(one)
    (path,) = (one.output / "clusters").rglob("events_*.parquet")
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(InputError, match=r"events_0000000.parquet: not readable as clusters"):
        clusters_of(one, SYSTEMS[0], SAMPLES[0])


@pytest.mark.slow
def test_workers_write_the_same_bytes(done: tuple[Job, TriggerStudy], tmp_path: Path) -> None:
    one, result = done
    other = job(tmp_path)
    farm = FarmConfig(n_workers=2)
    simulate(other, farm)
    assert summarise(other, reconstruct(other, farm)) == result
    files = {path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet")}
    assert len(files) == 2 * 2 + 2 * len(SYSTEMS)  # events and truth, and clusters, of two parts
    assert all((one.output / name).read_bytes() == content for name, content in files.items())


def test_result_of_the_study(done: tuple[Job, TriggerStudy], tmp_path: Path) -> None:
    _, result = done
    assert result.samples == ("electrons",) and [one.name for one in result.systems] == ["everything", "BC"]
    for one in result.systems:
        found = one.on("electrons").objects
        assert found is not None and found.response.value == pytest.approx(1, abs=0.1)
        assert found.resolution.value is not None and 0.01 < found.resolution.value < 0.1
        assert found.efficiency.value == 1.0
    assert result.systems[0].on("electrons").links.charge == 1.0
    assert 0.5 < result.systems[1].on("electrons").links.charge < 1.0
    assert [(one.system, one.quantity) for one in result.differences] == [("BC", "resolution")]
    result.save(tmp_path / "trigger.json")
    assert TriggerStudy.load(tmp_path / "trigger.json") == result


def test_minimum_bias_is_added_for_rates() -> None:
    assert study.with_rates([EventSample("electrons", 0.0)]) == (EventSample("electrons", 0.0),)
    assert study.with_rates([EventSample("jets", 50.0)]) == (EventSample("jets", 50.0), EventSample("minbias", 50.0))
    both = [EventSample("minbias", 50.0), EventSample("jets", 50.0)]
    assert study.with_rates(both) == tuple(both)


def test_equal_systems_are_tied(done: tuple[Job, TriggerStudy]) -> None:
    twice = job(done[0].output.parent, systems=(SYSTEMS[1], SYSTEMS[1].model_copy(update={"name": "the same"})))
    (difference,) = summarise(twice, reconstruct(twice)).differences
    assert (difference.difference.value, difference.difference.error, difference.tie) == (0, 0, True)


@pytest.mark.parametrize(("names", "shown"), [(("everything", "bc"), ["everything", "BC"]),
                                              (("bc", "stc"), ["full information", "BC", "STC"])])
def test_an_event_is_shown_beside_the_full_information(
    done: tuple[Job, TriggerStudy], names: tuple[str, ...], shown: list[str]
) -> None:
    (display,) = displays(job(done[0].output.parent, systems=tuple(System.load(name) for name in names)))
    assert [one.system for one in display.systems] == shown
    charges = [sum(one.charge) for one in display.systems]
    assert charges[0] > charges[1] > 0 and all(one.clusters for one in display.systems)
    assert display.systems[0] == done[1].displays[0].systems[0].model_copy(update={"system": shown[0]})


def test_differences_within_three_errors_are_ties(done: tuple[Job, TriggerStudy]) -> None:
    result, errors = done[1].systems[0], np.array([-1.0, 1.0]) / np.sqrt(2)  # of standard deviation 1
    for value, tie in ((2.9, True), (3.1, False), (-2.9, True), (-3.1, False)):
        systems = [summary._Analysed(result, {("electrons", "resolution"): one})
                   for one in ((0.0, np.zeros(2)), (value, value + errors))]
        (found,) = summary._differences(systems)
        assert (found.difference.value, found.difference.error, found.tie) == (value, 1.0, tie)


def test_samples_share_no_event() -> None:
    """Numbers of events are what their pile-up is drawn with."""
    numbers = {name: {events._number(EventSample(name), event) for event in (0, 1, events.EVENTS_APART - 1)}
               for name in events.SAMPLES}
    assert len(set.union(*numbers.values())) == 3 * len(numbers)


def test_minimum_bias_with_pile_up_is_pile_up_alone(tmp_path: Path) -> None:
    particles, truth = events._primary(EventSample("minbias", 5.0), 0, tmp_path)
    assert len(particles) == len(truth.pt) == 0


def test_minimum_bias_of_another_simulation_is_refused(tmp_path: Path) -> None:
    made, read = EventSample("electrons", 5.0), EventSample("minbias", 5.0, ntuple=Path("a.root"))
    for samples in ((made, read), (replace(read, name="electrons"), replace(made, name="minbias"))):
        with pytest.raises(InputError, match=r"--ntuple: .* from a.root, but .* from the generator; expected both"):
            study.check(job(tmp_path, samples=samples))


def test_a_file_is_read_once_for_all_systems(done: tuple[Job, TriggerStudy], monkeypatch: pytest.MonkeyPatch,
                                             tmp_path: Path) -> None:
    """And again after it has changed."""
    one, _ = done
    copied = job(tmp_path, output=tmp_path / "out", n_events=14)
    shutil.copytree(one.events, copied.events)
    files: list[Path] = []
    monkeypatch.setattr(events, "read", lambda path: files.append(path) or read(path))
    counts = reconstruct(copied)
    folder = SAMPLES[0].folder(copied.events)
    assert files == [part_file(folder, 0), part_file(folder, 10)]
    assert counts == reconstruct(one)
    os.utime(files[1], (0, 0))
    reconstruct(copied)
    assert files[2:] == [part_file(folder, 10)]
