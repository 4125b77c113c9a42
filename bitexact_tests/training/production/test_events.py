"""Showers, events and the fast calorimeter: physics within known bounds, equal for equal seeds and event numbers."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emulator.front_end import unpack
from emulator.links import ERX
from models.calq_io import read_calq
from models.errors import InputError, ToolMissing
from models.trigger_cells import CALQ_PER_MIPT
from training.production import calorimeter, pythia_events, steps
from training.production.calorimeter import Sample, simulate
from training.production.geometry import layers, modules, trigger_layers
from training.production.modules import COLUMNS, ModuleTable
from training.production.pythia_events import Particles
from training.production.showers import Spots, spots

SAMPLE = Sample("ttbar", pile_up=20, pool_size=60, seed=3, layers=(7, 9))


def beam(pdg_id: int, energy: float, n: int, eta: float = 2.0) -> Particles:
    """Equal particles, n of them, along one line from the origin."""
    slope = 1 / np.sinh(eta)
    return Particles(
        event=np.zeros(n, np.int32), pdg_id=np.full(n, pdg_id, np.int32), side=np.ones(n, np.int8),
        charged=np.full(n, abs(pdg_id) in (11, 13, 211)),
        position=np.tile([321.0 * slope, 0.0], (n, 1)).astype(np.float32),
        direction=np.tile([slope, 0.0], (n, 1)).astype(np.float32), energy=np.full(n, energy, np.float32))


def shower(pdg_id: int, energy: float, n: int = 300) -> Spots:
    return spots(np.random.default_rng(5), beam(pdg_id, energy, n), np.arange(1, 51))


def test_photon_charge_is_linear_and_fluctuates_as_one_over_root() -> None:
    totals = {}
    for energy in (10.0, 100.0):
        deposits = shower(22, energy)
        totals[energy] = np.bincount(deposits.particle, deposits.charge, minlength=300) / energy
    assert totals[100.0].mean() == pytest.approx(totals[10.0].mean(), rel=0.05)
    ratio = (totals[10.0].std() / totals[10.0].mean()) / (totals[100.0].std() / totals[100.0].mean())
    assert 2 < ratio < 5


def test_electrons_peak_where_theory_says() -> None:
    """Shower maximum ln(E / Ec) - 0.5 radiation lengths (Review of Particle Physics)."""
    deposits = shower(11, 60.0)
    mean = np.bincount(deposits.layer, deposits.charge, minlength=51)[1:29]
    depth = (np.argmax(mean) + 0.5) * layers().radiation_lengths[0]
    assert depth == pytest.approx(np.log(60 / 0.0085) - 0.5, abs=1.5)
    assert mean.sum() / deposits.charge.sum() > 0.95  # contained in the electromagnetic section


def test_nine_tenths_of_a_photon_are_within_about_one_moliere_radius() -> None:
    deposits = shower(22, 60.0)
    axis = beam(22, 60.0, 300)
    way = (layers().z[deposits.layer - 1] - 321.0)[:, None]
    distance = np.hypot(*(deposits.position - axis.position[deposits.particle]
                          - axis.direction[deposits.particle] * way).T)
    order = np.argsort(distance)
    share = np.cumsum(deposits.charge[order]) / deposits.charge.sum()
    assert 0.7 * 2.8 < distance[order][np.searchsorted(share, 0.9)] < 1.6 * 2.8


def test_pions_interact_deep_and_muons_pass() -> None:
    pion, photon = shower(211, 60.0), shower(22, 60.0)
    assert np.average(pion.layer, weights=pion.charge) > np.average(photon.layer, weights=photon.charge) + 5
    assert (pion.layer > 28).mean() > 10 * (photon.layer > 28).mean()
    muon = shower(13, 60.0, n=40)
    assert_array_equal(np.bincount(muon.layer, minlength=51)[1:], 40)
    # The most probable charge of a crossing is one MIP times the way through the silicon.
    assert np.median(muon.charge) == pytest.approx(1.06 / np.tanh(2.0), rel=0.05)


def test_only_wanted_layers() -> None:
    deposits = spots(np.random.default_rng(5), beam(211, 30.0, 50), np.array([9, 30]))
    assert set(np.unique(deposits.layer)) == {9, 30}


def test_charge_of_a_muon_in_calq() -> None:
    """One MIP is 35 counts over cosh(eta), to the width of the readout's code."""
    charge = calorimeter.charges(np.random.default_rng(1), beam(13, 60.0, 1), np.array([9]))
    table = calorimeter.digitise(np.random.default_rng(1), charge, charge, 0, np.array([9]),
                                 keep_empty=False, noise=0.0)
    assert len(table) == 1
    hit = np.flatnonzero(table.calq[0])
    expected = charge.sum() * CALQ_PER_MIPT / np.cosh(2.0)
    assert len(hit) == 1 or table.info.isHDM[0]  # an empty code of 3 dropped bits stands for 4 counts
    assert table.calq[0].max() == pytest.approx(expected, rel=0.15)
    assert table.info.zside[0] == 1 and table.info.SimEnergyFraction[0] == pytest.approx(1)


def test_cells_below_the_threshold_are_empty() -> None:
    """Half a MIP, zero suppression of the readout: a cell below it has the code 0, one above it has not."""
    inside = modules().inside[modules().layer == 9]
    for mip, hit in ((0.45, False), (0.55, True)):
        charge = np.full((2, *modules().inside.shape), mip)
        table = calorimeter.digitise(np.random.default_rng(1), charge, charge, 0, np.array([9]), keep_empty=True,
                                     noise=0.0)
        assert len(table) == 2 * len(inside) and (table.erx.any(axis=1) == hit).all()


def test_noise_alone_seldom_passes_the_threshold() -> None:
    """A cell without charge passes when noise of 0.15 MIP exceeds 0.5 MIP, in 4.3 of 10,000 cases."""
    charge = np.zeros((2, *modules().inside.shape))
    table = calorimeter.digitise(np.random.default_rng(1), charge, charge, 0, trigger_layers(), keep_empty=True)
    n_cells = 2 * modules().inside[np.isin(modules().layer, trigger_layers())].sum()
    assert np.count_nonzero(unpack(table.erx)) / n_cells == pytest.approx(4.3e-4, rel=0.15)


def same(left: ModuleTable, right: ModuleTable) -> None:
    assert_array_equal(left.erx, right.erx)
    assert_array_equal(left.calq, right.calq)
    assert left.info.equals(right.info)


@pytest.mark.slow
def test_event_does_not_depend_on_the_events_before(pythia_cache: Path, tmp_path: Path) -> None:
    """One event alone with its collisions made anew equals the same event as the third of three, and others differ."""
    three = [simulate(SAMPLE, event, pythia_cache) for event in range(24, 27)]  # across the border of two blocks of 25
    pythia_events.block.cache_clear()
    for tables in pythia_cache.glob("multiparton-*"):  # the slow start of Pythia, which a block does not repeat either
        shutil.copy(tables, tmp_path)
    same(simulate(SAMPLE, 26, tmp_path), three[2])
    assert not np.array_equal(three[1].erx[:100], three[2].erx[:100])
    other = simulate(replace(SAMPLE, seed=4), 26, pythia_cache)
    assert not np.array_equal(other.erx[:100], three[2].erx[:100])


def test_every_event_has_its_own_pile_up(pythia_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two events of one process event differ by the other collisions alone."""
    first = pythia_events.collision("ttbar", 3, 0, pythia_cache)
    monkeypatch.setattr(calorimeter, "collision", lambda *_: first)
    assert not np.array_equal(simulate(SAMPLE, 0, pythia_cache).erx[:100], simulate(SAMPLE, 1, pythia_cache).erx[:100])
    same(simulate(SAMPLE, 1, pythia_cache), simulate(SAMPLE, 1, pythia_cache))


@pytest.mark.parametrize("charge", [-1, 0, 1])
@pytest.mark.parametrize("pt", [0.4, 1.0, 20.0])
def test_way_through_the_field(charge: int, pt: float) -> None:
    """Where a particle enters, against small steps of the Lorentz force (GeV, cm, T)."""
    momentum = np.array([pt * np.cos(0.7), pt * np.sin(0.7), -pt * np.sinh(2.4)])
    start = 3.0
    found = pythia_events.at_front(np.zeros(1, int), np.array([211 if charge else 2112]), np.array([float(charge)]),
                                    momentum[None], np.array([0.14]), np.array([start]))
    position, step = np.array([0.0, 0.0, start]), 0.1
    steps_to_front = (321.0 + start) / (step * np.sinh(2.4) / np.cosh(2.4))
    direction = momentum / np.linalg.norm(momentum)
    turn = charge * 0.002998 * 3.8 / np.linalg.norm(momentum) * step  # force along direction x field, field along z
    for _ in range(round(steps_to_front)):
        middle = direction + 0.5 * turn * np.cross(direction, [0, 0, 1])
        position = position + step * middle
        direction = direction + turn * np.cross(middle, [0, 0, 1])
    assert found.side[0] == -1
    assert found.position[0] == pytest.approx(position[:2], abs=0.1)
    assert found.direction[0] == pytest.approx(direction[:2] / abs(direction[2]), abs=2e-3)
    assert found.energy[0] == pytest.approx(np.sqrt(momentum @ momentum + 0.14**2) - 0.14, rel=1e-6)


def test_who_does_not_reach_the_endcap() -> None:
    """Neutrinos are never asked; central particles leave through the side, slow loopers come too late."""
    def reaches(pt: float, eta: float, charge: float = 1.0) -> bool:
        momentum = np.array([[pt, 0.0, pt * np.sinh(eta)]])
        return len(pythia_events.at_front(np.zeros(1, int), np.array([211]), np.array([charge]), momentum,
                                           np.array([0.14]), np.zeros(1))) == 1

    assert reaches(5.0, 2.0) and not reaches(5.0, 1.0) and not reaches(5.0, 3.6)
    assert reaches(0.5, 1.3) and not reaches(0.5, 1.3, charge=0.0)  # turned back before the side of the tracker
    assert not reaches(0.5, 0.2)


def test_minimum_bias_has_the_measured_density(pythia_cache: Path) -> None:
    """About six to eight charged particles per unit of eta at 14 TeV, fewer where the field turns them back."""
    particles = pythia_events.block("minbias", 3, 0, pythia_cache)
    eta = np.arcsinh(321.0 / np.hypot(*particles.position.T))
    central = particles.charged & (np.abs(eta - 2.2) < 0.5)
    assert 3 < central.sum() / (2 * 500) < 10


@pytest.fixture(scope="module")
def written(pythia_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two events as Parquet with link words, and as CSV."""
    folder = tmp_path_factory.mktemp("written")
    steps.generate(SAMPLE, 0, 2, folder / "m.parquet", order="tc", cache=pythia_cache, erx_output=folder / "erx.csv")
    steps.generate(SAMPLE, 0, 2, folder / "m.csv", order="tc", cache=pythia_cache)
    return folder


def test_parquet_and_csv_of_one_sample_agree(written: Path) -> None:
    first, second = read_calq(written / "m.parquet"), read_calq(written / "m.csv")
    assert_array_equal(first.calq, second.calq)
    assert tuple(second.extra.columns) == COLUMNS
    assert first.extra[list(COLUMNS)].equals(second.extra)


def test_link_words_are_those_of_the_modules(written: Path) -> None:
    assert_array_equal(ERX.read_all(written / "erx.csv"),
                       read_calq(written / "m.parquet").extra[ERX.columns].to_numpy())


def test_modules_say_where_they_are_and_what_part_of_the_energy_they_have(written: Path) -> None:
    extra = read_calq(written / "m.csv").extra
    assert set(extra.entry) == {0, 1} and set(extra.layer) == {7, 9} and set(extra.zside) == {-1, 1}
    assert set(extra.n_elinks) == {4, 5}
    total = extra.groupby("entry").SimEnergyFraction.sum()
    assert ((total > 0.9) & (total <= 1 + 1e-9)).all()


def test_unknown_process_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"process 'tbar', expected .*; did you mean 'ttbar'"):
        pythia_events.check_process("tbar")


def test_trigger_layers_of_links() -> None:
    from training.production.allocation import signal_links

    assert dict(zip(trigger_layers()[:8].tolist(), signal_links(trigger_layers()[:8]).tolist(), strict=True)) == {
        1: 2, 3: 2, 5: 2, 7: 4, 9: 5, 11: 4, 13: 3, 15: 2}


def test_folder_of_collisions_with_a_blank(pythia_cache: Path, tmp_path: Path) -> None:
    pythia_events.collision("minbias", 3, 0, pythia_cache)
    (tmp_path / "my cache").mkdir()
    for tables in pythia_cache.glob("multiparton-*"):
        shutil.copy(tables, tmp_path / "my cache")
    pythia = pythia_events._pythia("minbias", 1, tmp_path / "my cache")
    assert pythia.settings.word("MultipartonInteractions:initFile").endswith("my cache/" + tables.name)
    assert not list(tmp_path.glob("my"))


def test_showers_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(ToolMissing, match=r"need the package scipy: pip install '\.\[data\]'"):
        shower(22, 10.0, 2)
