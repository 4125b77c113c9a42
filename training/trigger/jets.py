"""Jets: anti-kt with R = 0.4 of clusters, and of the generated particles that enter an endcap."""

from __future__ import annotations

from collections.abc import Callable
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


def reconstructed(clusters: Clusters) -> Jets:
    """Jets of clusters, not calibrated."""
    return anti_kt(clusters.event, clusters.pt, clusters.eta, clusters.phi, LEAST_PT)


@dataclass(frozen=True)
class JetFolds:
    """Calibrations fitted on odd and on even events; each is for the other half."""

    for_even: Callable[[Float64Array, Float64Array], Float64Array]
    for_odd: Callable[[Float64Array, Float64Array], Float64Array]

    @classmethod
    def of(cls, found: Jets, wanted: Jets) -> JetFolds:
        """Fit to the jets with the most transverse momentum near each generated one."""
        best = _near(found, found.pt, wanted)
        there = np.flatnonzero(best >= 0)
        even, odd = (there[rows] for rows in halves(wanted.event[there]))
        for_odd, for_even = (fit_line(found.pt[best[rows]], found.eta[best[rows]], wanted.pt[rows])
                             for rows in (even, odd))
        return cls(for_even, for_odd)

    def pt(self, jets: Jets) -> Float64Array:
        """Calibrated transverse momentum, (n,), none by constants to which its event contributed."""
        return np.where(jets.event % 2 == 0, self.for_even(jets.pt, jets.eta), self.for_odd(jets.pt, jets.eta))


def matched_jets(found: Jets, pt: Float64Array, wanted: Jets) -> Objects:
    """Generated jets and the reconstructed jet with the most calibrated `pt` near each."""
    return Objects(wanted.event, wanted.pt, wanted.eta, wanted.phi, _near(found, pt, wanted), pt, found.eta, found.phi)


def _near(found: Jets, pt: Float64Array, wanted: Jets) -> Int64Array:
    """Row of the jet with the most `pt` within R / 2 of each generated one; -1 if there is none."""
    return match(wanted.event, wanted.eta, wanted.phi, to_event=found.event, to_eta=found.eta, to_phi=found.phi,
                 to_pt=pt, radius=RADIUS / 2)
