"""Whole events through chips: what the back end receives, against the chip one module at a time."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bitexact_tests.samples.trigger import busy, shot
from emulator.codes import CHARGE, FINE_SUM
from models.compact_decoder import CompactDecoder, CompactSpec
from models.errors import InputError
from training.fit.run import Run
from training.physics.schemes import compact_autoencoder, load_autoencoder, threshold_sum
from training.production.geometry import modules
from training.trigger.cells import cells
from training.trigger.clusters import cluster
from training.trigger.events import Events
from training.trigger.frames import FrontEnd, on_silicon, once_for_equal_frames, stc_type, truncated
from training.trigger.system import Links, Rule, System

EVENTS = busy()


def system(*rules: Rule, **options: object) -> System:
    return System.model_validate({"name": "a system", "rules": rules, **options})


def on(algorithm: str, n_links: int) -> System:
    """A system with the links of the allocation, or with 1 or 13 links everywhere."""
    add = {1: -13, 13: 13}.get(n_links, 0)
    return system(Rule.model_validate({"algorithm": algorithm}), links=Links(add=add))


def receive(system: System, events: Events = EVENTS) -> np.ndarray:
    return np.asarray(FrontEnd(system).receive(events).charge)


def test_everything_is_every_charge() -> None:
    assert_array_equal(receive(on("all", 2)), EVENTS.calq)


@pytest.mark.parametrize("algorithm", ["BC", "RPT"])
def test_all_cells_sent_are_everything_to_the_precision_of_the_code(algorithm: str) -> None:
    assert_array_equal(receive(on(algorithm, 13)), CHARGE.estimate(CHARGE.encode(EVENTS.calq)))
    kept = EVENTS.calq > 0
    ratio = receive(on(algorithm, 13))[kept] / EVENTS.calq[kept]
    assert_allclose(ratio, 1.0, atol=1 / 16 + 1e-9)  # half a step of three bits behind the leading one


@pytest.mark.parametrize("algorithm", ["BC", "RPT"])
def test_frames_from_the_full_information_give_identical_clusters(algorithm: str, tmp_path: Path) -> None:
    for events in (EVENTS, shot(tmp_path)):
        coded = replace(events, calq=CHARGE.estimate(CHARGE.encode(events.calq)).astype(np.uint32))
        found = [cluster(cells(one, FrontEnd(chosen).receive(one).charge), 0, chosen.clusters)
                 for one, chosen in ((coded, on("all", 2)), (events, on(algorithm, 13)))]
        assert len(found[0]) > 5
        for field in fields(found[0]):
            assert_array_equal(getattr(found[0], field.name), getattr(found[1], field.name), field.name)


def test_bc_is_the_largest_cells_of_each_module_by_its_links() -> None:
    from emulator.algorithms.best_choice import CELLS_SENT

    received = receive(on("BC", 2))
    links = on("BC", 2).links.of_modules()[EVENTS.module]
    assert len(set(links)) == 4
    for row in range(0, len(EVENTS), 7):
        largest = np.sort(EVENTS.calq[row])[::-1][: CELLS_SENT[links[row] - 1]]
        expected = CHARGE.estimate(CHARGE.encode(largest))
        assert_array_equal(np.sort(received[row])[::-1][: len(largest)], np.sort(expected)[::-1])
        assert (received[row] > 0).sum() <= len(largest)


@pytest.mark.parametrize(("n_links", "number"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 0), (9, 0)])
def test_finest_stc_that_sends_a_whole_module(n_links: int, number: int) -> None:
    assert stc_type(n_links) == number


def test_stc_keeps_the_charge_of_a_module() -> None:
    received = receive(on("STC", 2)).sum(axis=1)
    assert_allclose(received, EVENTS.calq.sum(axis=1), rtol=0.07, atol=40)


@pytest.mark.parametrize("n_links", [1, 2, 3])
def test_buffers_of_all_chips_at_once(n_links: int) -> None:
    """Against the chip's own buffer, one chip after the other, in its second round."""
    from emulator.algorithms.threshold_frames import LENGTHS

    rng = np.random.default_rng(4)
    n_events, n_chips = 30, 5
    calq = rng.integers(0, 300, (n_chips, n_events, 48)) * (rng.random((n_chips, n_events, 1)) < 0.7)
    calq[calq < 100] = 0
    there = calq.any(axis=2)
    chip, event = np.nonzero(there)
    n_words = LENGTHS[(calq[there] >= 150).sum(axis=1)]
    found = np.zeros((n_chips, n_events), dtype=bool)
    found[chip, event] = truncated(n_words, event, n_events, chip, n_links)
    expected = [threshold_sum(n_links, 0, 150).run(np.concatenate([one, one])).cut[n_events:] for one in calq]
    assert_array_equal(found, np.array(expected) & there)
    assert found.any() and not found[there].all()


def test_ts_is_every_cell_over_the_threshold_unless_truncated() -> None:
    inside = modules().inside[EVENTS.module]
    full = replace(EVENTS, calq=np.where(EVENTS.event[:, None] == 0, 3000 * inside, EVENTS.calq).astype(np.uint32))
    # All cells of a module are more words than twelve bunch crossings of one link carry.
    for events, chips, some_cut in ((EVENTS, on("TS", 2), False), (full, on("TS", 1), True)):
        received = FrontEnd(chips).receive(events)
        expected = np.where(events.calq >= 47, CHARGE.estimate(CHARGE.encode(events.calq)), 0)
        assert_array_equal(received.charge, np.where(received.cut[:, None], 0, expected))
        assert_array_equal(received.bits[received.cut], 16)
        assert received.cut[inside.all(axis=1) & (events.event == 0)].all() == some_cut


def test_charge_without_silicon_goes_to_the_other_cells() -> None:
    partial = np.flatnonzero(modules().partial)[:50]
    charge = np.random.default_rng(5).random((50, 48))
    placed = on_silicon(charge, partial)
    assert not placed[~modules().inside[partial]].any()
    assert_allclose(placed.sum(axis=1), charge.sum(axis=1))
    inside = modules().inside[partial[0]]
    assert_allclose(placed[0][inside] / charge[0][inside], placed[0][inside][0] / charge[0][inside][0])
    whole = np.flatnonzero(~modules().partial)[:50]
    assert_array_equal(on_silicon(charge, whole), charge)


def test_every_module_runs_one_rule() -> None:
    mixed = system(Rule(algorithm="STC", layers=(29, 50)), Rule(algorithm="TS", links=(4, 5)),
                   Rule(algorithm="BC", high_density=True), Rule(algorithm="all"))
    groups = FrontEnd(mixed).groups
    assert_array_equal(np.sort(np.concatenate([group.modules for group in groups])), np.arange(len(modules().layer)))
    by_algorithm = {group.rule.algorithm: group for group in groups}
    assert modules().layer[by_algorithm["STC"].modules].min() == 29
    assert set(modules().layer[by_algorithm["TS"].modules]) <= {7, 9, 11}
    assert modules().high_density[by_algorithm["BC"].modules].all()
    assert not modules().high_density[by_algorithm["all"].modules].any()


def test_a_module_without_a_rule_is_an_error() -> None:
    with pytest.raises(InputError, match="the system: rules: none fits modules with 2 links in layer 1"):
        FrontEnd(system(Rule(algorithm="BC", links=(3, 4, 5))))


def test_autoencoder_is_that_of_the_run_for_the_links(random_runs: list[Path], tmp_path: Path) -> None:
    for n, folder in ((2, random_runs[1]), (5, random_runs[0])):
        (tmp_path / f"run_{n}").symlink_to(folder)
    chosen = system(Rule(algorithm="AE", links=(2, 5), weights=f"{tmp_path}/run_{{links}}"), Rule(algorithm="all"))
    received = receive(chosen)
    links = chosen.links.of_modules()[EVENTS.module]
    for n in (2, 5):
        rows = np.flatnonzero((links == n) & ~modules().partial[EVENTS.module])
        expected = load_autoencoder(Run(tmp_path / f"run_{n}")).run(EVENTS.calq[rows].astype(np.int64)).charge
        assert_allclose(received[rows], expected, rtol=1e-4, atol=1e-3)
    assert_array_equal(received[links == 3], EVENTS.calq[links == 3])


def test_weights_for_more_links_than_a_module_has(random_runs: list[Path]) -> None:
    """The other way round they fit: frames for two links on modules with more."""
    with pytest.raises(InputError, match=r"the system: weights: .*econ_t_5elink: frames for 5 links on modules with 2; "
                                         r"expected weights for at most 2"):
        _ = FrontEnd(system(Rule(algorithm="AE", weights=str(random_runs[0])))).groups
    links = [group.n_links for group in FrontEnd(system(Rule(algorithm="AE", weights=str(random_runs[1])))).groups]
    assert links == [2, 3, 4, 5]


def test_occupancy_counts_modules_without_charge() -> None:
    """BC fills its frames whatever there is to send."""
    chips = FrontEnd(on("BC", 2))
    few = replace(EVENTS, **{name: getattr(EVENTS, name)[:3] for name in ("event", "endcap", "module", "calq")})
    occupancies = [chips.occupancy(one, chips.receive(one)) for one in (EVENTS, few)]
    assert occupancies[0] == pytest.approx(occupancies[1])
    assert 0.9 < occupancies[0] <= 1
    assert FrontEnd(on("TS", 2)).occupancy(few, FrontEnd(on("TS", 2)).receive(few)) < 0.3


def test_occupancy_is_of_modules_that_send_frames() -> None:
    """Those whose charges come without a chip would make links look empty."""
    mixed = FrontEnd(system(Rule(algorithm="BC", layers=(1, 8)), Rule(algorithm="all")))
    assert mixed.occupancy(EVENTS, mixed.receive(EVENTS)) == pytest.approx(0.99, abs=0.01)
    assert len(mixed.links_that_send) == (modules().layer <= 8).sum()
    whole = FrontEnd(on("all", 2))
    assert whole.occupancy(EVENTS, whole.receive(EVENTS)) == 0
    assert_array_equal(whole.links_that_send, whole.n_links)


@pytest.mark.parametrize("rule", [Rule(algorithm="STC", spread=True), Rule(algorithm="STC"), Rule(algorithm="TS"),
                                  Rule(algorithm="RPT"), Rule(algorithm="BC")], ids=str)
def test_events_without_any_charge(rule: Rule) -> None:
    """As of a few modules behind, of which no shower reaches one."""
    none = replace(EVENTS, **{name: getattr(EVENTS, name)[:0] for name in ("event", "endcap", "module", "calq")})
    received = FrontEnd(system(rule)).receive(none)
    assert received.charge.shape == (0, 48) and received.bits.shape == received.cut.shape == (0,)


def test_equal_frames_are_decoded_once_and_small_sums_not_at_all() -> None:
    seen: list[np.ndarray] = []

    def decoder(latent: np.ndarray, module_sum: np.ndarray) -> np.ndarray:
        seen.append(np.column_stack([latent, module_sum]))
        return np.repeat((latent[:, :1] + module_sum[:, None]) / 100, 48, axis=1)

    latent, module_sum = np.repeat([[3], [3], [5], [3], [7], [7]], 16, axis=1), np.array([40, 40, 40, 60, 39, 0])
    found = once_for_equal_frames(decoder, 40)(latent, module_sum)
    assert_array_equal(found[:, 0], np.array([43, 43, 45, 63, 0, 0]) / 100)
    assert_array_equal(seen[0][:, [0, 16]], [[3, 40], [3, 60], [5, 40]])
    assert once_for_equal_frames(decoder, 100)(latent, module_sum).max() == 0 and len(seen) == 1


def test_frames_of_small_sums_give_no_charge(random_runs: list[Path]) -> None:
    rules = [Rule(algorithm="AE", weights=str(random_runs[1]), least_sum=least) for least in (0, 9_000)]
    every, some = (FrontEnd(system(rule)).receive(EVENTS) for rule in rules)
    carried = FINE_SUM.decode(FINE_SUM.encode(EVENTS.calq.sum(axis=1)))
    assert 0.1 < (carried >= 9_000).mean() < 0.9
    assert_allclose(some.charge, np.where((carried >= 9_000)[:, None], every.charge, 0), rtol=1e-3, atol=1e-2)
    assert_array_equal(some.bits, every.bits)


def test_another_decoder_for_the_same_frames(random_runs: list[Path], tmp_path: Path) -> None:
    """A compact decoder, by its path with the number of links, and beside the weights."""
    run = Run(random_runs[1])
    spec = run.config.encoder
    compact = replace(CompactDecoder.random(CompactSpec.largest(spec.latent, spec.dense.outputs, 1000), 1),
                      encoder=run.weights.digest())
    shutil.copytree(run.folder, tmp_path / "run")
    for path in (*(tmp_path / f"brief_{n}.npz" for n in (2, 3, 4, 5)), tmp_path / "run" / "brief.npz"):
        compact.save(path)
    here = replace(EVENTS, module=np.full(len(EVENTS), int(np.flatnonzero(~modules().partial)[0])))
    expected = compact_autoencoder(run, compact, "").run(EVENTS.calq.astype(np.int64))
    for name in (str(tmp_path / "brief_{links}.npz"), "brief.npz"):
        rule = Rule(algorithm="AE", weights=str(tmp_path / "run"), decoder=name)
        received = FrontEnd(system(rule)).receive(here)
        assert_array_equal(received.charge, expected.charge.astype(np.float32))
    CompactDecoder.random(compact.spec, 1).save(tmp_path / "run" / "brief.npz")
    with pytest.raises(InputError, match=r"brief\.npz: decoder of the encoder 0000000000000001, expected one of"):
        FrontEnd(system(rule)).receive(here)
