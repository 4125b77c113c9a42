"""Jets of clusters and of generated particles."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models.errors import ToolMissing
from training.trigger.events import Truth
from training.trigger.jets import JetFolds, Jets, anti_kt, generated, matched_jets


def distance(pt: np.ndarray, eta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """The anti-kt distances of all pairs, and to the beam on the diagonal, for R = 0.4."""
    turned = np.angle(np.exp(1j * (phi[:, None] - phi)))
    return np.where(np.eye(len(pt), dtype=bool), pt**-2.0, np.minimum(pt[:, None] ** -2.0, pt**-2.0)
                    * ((eta[:, None] - eta) ** 2 + turned**2) / 0.16)


def by_definition(pt: np.ndarray, eta: np.ndarray, phi: np.ndarray) -> list[float]:
    """Transverse momenta of the jets, joining pairs as the definition says."""
    momenta = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=1)
    jets = []
    while len(momenta):
        pt = np.hypot(momenta[:, 0], momenta[:, 1])
        rapidity = np.arctanh(momenta[:, 2] / momenta[:, 3])
        between = distance(pt, rapidity, np.arctan2(momenta[:, 1], momenta[:, 0]))
        i, j = np.unravel_index(between.argmin(), between.shape)
        if i == j:
            jets.append(float(pt[i]))
            momenta = np.delete(momenta, i, axis=0)
        else:
            joined = momenta[i] + momenta[j]
            momenta = np.concatenate([np.delete(momenta, [i, j], axis=0), joined[None]])
    return sorted(jets)


def test_jets_are_anti_kt_of_each_event() -> None:
    pytest.importorskip("fastjet")
    rng = np.random.default_rng(6)
    event = np.repeat([2, 7], 25)
    pt, eta, phi = rng.exponential(8, 50), rng.uniform(1.6, 2.9, 50), rng.uniform(-0.8, 0.8, 50)
    found = anti_kt(event, pt, eta, phi, 3.0)
    for number in (2, 7):
        rows = event == number
        expected = [one for one in by_definition(pt[rows], eta[rows], phi[rows]) if one > 3.0]
        assert np.sort(found.pt[found.event == number]).tolist() == pytest.approx(expected)


def test_particles_without_momentum_do_not_count() -> None:
    pytest.importorskip("fastjet")
    found = anti_kt(np.array([0, 0]), np.array([20.0, -5.0]), np.array([2.0, 2.0]), np.zeros(2), 1.0)
    assert found.pt.tolist() == pytest.approx([20.0]) and found.eta.tolist() == pytest.approx([2.0])


def test_generated_jets_are_visible_and_inside() -> None:
    pytest.importorskip("fastjet")
    number, eta = np.array([211, 13, 22, 211]), np.array([2.0, 2.05, 2.1, 2.9])
    pt = np.array([30.0, 40.0, 10.0, 50.0])
    truth = Truth(np.zeros(4, np.int64), np.ones(4, np.int64), number, pt, eta, np.zeros(4))
    found = generated(truth)
    assert found.pt.tolist() == pytest.approx([40.0], rel=0.01)  # no muon, and no jet at the edge


def test_no_jet_is_calibrated_by_its_own_event() -> None:
    """Even and odd events with other scales: each has the calibration of the other half."""
    event = np.arange(400)
    pt, eta = np.linspace(20, 80, 400), np.linspace(1.8, 2.6, 400)[::-1]
    raw = pt * np.where(event % 2 == 0, 0.5, 0.8)
    wanted, found = Jets(event, pt, eta, np.zeros(400)), Jets(event, raw, eta, np.zeros(400))
    ratio = JetFolds.of(found, wanted).pt(found) / pt
    assert ratio[::2] == pytest.approx(0.5 / 0.8, rel=0.02) and ratio[1::2] == pytest.approx(0.8 / 0.5, rel=0.02)


def test_jets_match_within_half_of_their_radius() -> None:
    one = np.ones(3)
    wanted = Jets(np.arange(3), 50 * one, 2 * one, np.array([0.0, 0.0, np.pi - 0.05]))
    found = Jets(np.arange(3), 40 * one, 2 * one, np.array([0.19, 0.21, -np.pi + 0.1]))
    assert matched_jets(found, found.pt, wanted).matched.tolist() == [0, -1, 2]


def test_jets_without_fastjet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastjet", None)
    with pytest.raises(ToolMissing, match=r"jets need the package fastjet: pip install '\.\[trigger\]'"):
        anti_kt(np.zeros(1, np.int64), np.ones(1), np.ones(1), np.ones(1), 0.0)
