"""Jets: anti-kt with R = 0.4 of clusters, and of the generated particles that enter an endcap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.arrays import Float64Array, Int64Array
from models.errors import not_installed
from training.trigger.calibration import fit_line, halves
from training.trigger.clusters import Clusters
from training.trigger.events import Truth
from training.trigger.matching import match
from training.trigger.objects import Objects

RADIUS = 0.4
ETA = (1.8, 2.6)
"""Range of |eta| of generated jets: the whole jet is within the silicon's acceptance."""
LEAST_GENERATED_PT, LEAST_PT = 20.0, 5.0
"""GeV, of generated and of uncalibrated jets that are looked at."""
_MUON, _NEUTRINOS = 13, (12, 14, 16)


@dataclass(frozen=True)
class Jets:
    """Jets, (n,)."""

    event: Int64Array
    pt: Float64Array
    eta: Float64Array
    phi: Float64Array


def anti_kt(event: Int64Array, pt: Float64Array, eta: Float64Array, phi: Float64Array, least_pt: float) -> Jets:
    """Cluster massless particles event by event; raises ToolMissing without the package fastjet."""
    fastjet = _fastjet()
    kept = np.flatnonzero(pt > 0)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    columns: list[tuple[int, float, float, float]] = []
    for number in np.unique(event[kept]).tolist():
        rows = kept[event[kept] == number]
        inputs = [fastjet.PseudoJet(*map(float, momentum)) for momentum in np.stack([
            pt[rows] * np.cos(phi[rows]), pt[rows] * np.sin(phi[rows]), pt[rows] * np.sinh(eta[rows]),
            pt[rows] * np.cosh(eta[rows])], axis=1)]
        sequence = fastjet.ClusterSequence(inputs, definition)
        columns += [(number, jet.pt(), jet.eta(), jet.phi_std()) for jet in sequence.inclusive_jets(least_pt)]
    found = np.array(columns, dtype=np.float64).reshape(-1, 4)
    return Jets(found[:, 0].astype(np.int64), found[:, 1], found[:, 2], found[:, 3])


def _fastjet() -> Any:
    try:
        import fastjet  # noqa: PLC0415  (of the extra "trigger")
    except ImportError as error:
        raise not_installed(error, "jets need", "trigger") from None
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)  # stdout may be the result of the command
    return fastjet


def generated(truth: Truth) -> Jets:
    """Jets of the visible particles of the process at the front face, muons left out."""
    rows = np.flatnonzero(~np.isin(np.abs(truth.pdg_id), (_MUON, *_NEUTRINOS)))
    jets = anti_kt(truth.event[rows], truth.pt[rows], truth.eta[rows], truth.phi[rows], LEAST_GENERATED_PT)
    inside = np.flatnonzero((np.abs(jets.eta) > ETA[0]) & (np.abs(jets.eta) < ETA[1]))
    return Jets(jets.event[inside], jets.pt[inside], jets.eta[inside], jets.phi[inside])


def matched_jets(clusters: Clusters, truth: Truth) -> Objects:
    """Generated jets and the reconstructed jets within R / 2, calibrated on the other half of the events."""
    wanted = generated(truth)
    found = anti_kt(clusters.event, clusters.pt, clusters.eta, clusters.phi, LEAST_PT)
    best = match(wanted.event, wanted.eta, wanted.phi, to_event=found.event, to_eta=found.eta, to_phi=found.phi,
                 to_pt=found.pt, radius=RADIUS / 2)
    there = np.flatnonzero(best >= 0)
    pt = np.zeros(len(found.pt))
    for fitted, applied in zip(halves(wanted.event[there]), reversed(halves(found.event)), strict=True):
        rows = there[fitted]
        apply = fit_line(found.pt[best[rows]], found.eta[best[rows]], wanted.pt[rows])
        pt[applied] = apply(found.pt[applied], found.eta[applied])
    return Objects(wanted.event, wanted.pt, wanted.eta, wanted.phi, best, pt, found.eta, found.phi)
