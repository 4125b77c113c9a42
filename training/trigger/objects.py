"""Objects of a sample in one system: calibrated clusters, matched to what was generated, and their quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import Float64Array, Int64Array
from training.results.trigger import Measured, ObjectResult
from training.trigger.calibration import Calibration, fit, halves
from training.trigger.clusters import Clusters
from training.trigger.events import Truth
from training.trigger.matching import delta_phi, match
from training.trigger.statistics import Resampling, binned, effective_width, measured, median, relative_width
from training.trigger.system import LayerWeights

PT_EDGES = (2.0, 10.0, 20.0, 30.0, 45.0, 70.0, 100.0)
ETA_EDGES = (1.6, 1.9, 2.2, 2.5, 2.9)
ENERGY_EDGES = (20.0, 40.0, 70.0, 110.0, 160.0, 230.0, 320.0, 450.0, 700.0)
LEAST_PT = 10.0
"""GeV; resolution, response and efficiency in one number are of generated objects above this."""


@dataclass(frozen=True)
class Objects:
    """Generated objects, (n,), and the reconstructed ones that they are compared with, by row; -1 for no match."""

    event: Int64Array
    pt: Float64Array
    eta: Float64Array
    phi: Float64Array
    matched: Int64Array
    found_pt: Float64Array
    found_eta: Float64Array
    found_phi: Float64Array

    def matched_pt(self) -> Float64Array:
        """Reconstructed transverse momentum of each generated object, (n,), NaN without a match."""
        if not len(self.found_pt):
            return np.full(len(self.pt), np.nan)
        return np.where(self.matched >= 0, self.found_pt[self.matched], np.nan)


@dataclass(frozen=True)
class Folds:
    """Calibrations fitted on odd and on even events; each is for the other half."""

    for_even: Calibration
    for_odd: Calibration

    @classmethod
    def of(cls, clusters: Clusters, truth: Truth, layer_weights: LayerWeights = "fitted") -> Folds:
        """Fit to the clusters with the most `Clusters.pt` near each generated particle."""
        best = match(truth.event, truth.eta, truth.phi, to_event=clusters.event, to_eta=clusters.eta,
                     to_phi=clusters.phi, to_pt=clusters.pt)
        there = np.flatnonzero(best >= 0)
        even, odd = (there[rows] for rows in halves(truth.event[there]))
        for_odd, for_even = (fit(clusters.layer_charge[best[rows]], clusters.eta[best[rows]], truth.pt[rows],
                                 layer_weights)
                             for rows in (even, odd))
        return cls(for_even, for_odd)

    def pt(self, clusters: Clusters) -> Float64Array:
        """Calibrated transverse momentum of clusters, (n,), none by constants to which its event contributed."""
        of_even, of_odd = (one.pt(clusters.layer_charge, clusters.eta) for one in (self.for_even, self.for_odd))
        return np.where(clusters.event % 2 == 0, of_even, of_odd)


def matched_clusters(clusters: Clusters, pt: Float64Array, truth: Truth) -> Objects:
    """Generated particles and the cluster with the most calibrated `pt` near each."""
    best = match(truth.event, truth.eta, truth.phi, to_event=clusters.event, to_eta=clusters.eta, to_phi=clusters.phi,
                 to_pt=pt)
    return Objects(truth.event, truth.pt, truth.eta, truth.phi, best, pt, clusters.eta, clusters.phi)


def quality(objects: Objects, resampling: Resampling, least_pt: float = LEAST_PT) -> ObjectResult:
    """Response, resolutions and matching efficiency."""
    there = np.flatnonzero(objects.matched >= 0)
    row = objects.matched[there]
    event, pt = objects.event[there], objects.pt[there]
    ratio = objects.found_pt[row] / pt
    high = np.flatnonzero(pt > least_pt)
    wanted = np.flatnonzero(objects.pt > least_pt)

    def of_all(statistic: object, values: Float64Array) -> Measured:
        assert callable(statistic)
        return resampling.measure(statistic, values[high], event[high])

    energy = pt * np.cosh(objects.eta[there])

    def in_bins(statistic: object) -> tuple[object, ...]:
        assert callable(statistic)
        return (binned(statistic, ratio, event, resampling, coordinate="pt", position=pt, edges=PT_EDGES),
                binned(statistic, ratio[high], event[high], resampling, coordinate="eta",
                       position=np.abs(objects.eta[there][high]), edges=ETA_EDGES),
                binned(statistic, ratio[high], event[high], resampling, coordinate="energy", position=energy[high],
                       edges=ENERGY_EDGES))

    terms = [energy_terms(ratio[rows], energy[rows]) for rows in (high, *(high[drawn] for drawn
                                                                         in resampling.draws(event[high])))]
    sampling, constant = (measured(terms[0][i], [one[i] for one in terms[1:]]) for i in (0, 1))

    return ObjectResult.model_validate({
        "n_generated": len(wanted), "least_pt": least_pt,
        "efficiency": efficiency(objects.matched[wanted] >= 0, objects.event[wanted], resampling),
        "response": of_all(median, ratio), "resolution": of_all(relative_width, ratio),
        "eta": of_all(effective_width, objects.found_eta[row] - objects.eta[there]),
        "phi": of_all(effective_width, delta_phi(objects.found_phi[row], objects.phi[there])),
        "sampling": sampling, "constant": constant, "response_bins": in_bins(median),
        "resolution_bins": in_bins(relative_width)})


def energy_terms(ratio: Float64Array, energy: Float64Array) -> tuple[float, float]:
    """Terms a and c of the relative resolution, the root of a^2 / E + c^2, from its values in bins of the energy.

    A straight line in 1 / E through the squares; NaN if fewer than two bins have a width.
    """
    number = np.searchsorted(ENERGY_EDGES, energy, side="right") - 1
    inverse, square = [], []
    for index in range(len(ENERGY_EDGES) - 1):
        rows = np.flatnonzero(number == index)
        width = relative_width(ratio[rows])
        if np.isfinite(width) and width > 0:
            inverse.append(1 / energy[rows].mean())
            square.append(width**2)
    if len(inverse) < 2:  # noqa: PLR2004  (points of a line)
        return float("nan"), float("nan")
    weight = 1 / np.array(square)  # relative errors of widths are alike
    slope, offset = np.polyfit(inverse, square, 1, w=weight)
    return float(np.sqrt(max(slope, 0.0))), float(np.sqrt(max(offset, 0.0)))


def efficiency(passes: object, event: Int64Array, resampling: Resampling) -> Measured:
    """Share of true values, (n,)."""
    values = np.asarray(passes, dtype=np.float64)
    return measured(share(values), [share(values[rows]) for rows in resampling.draws(event)])


def share(values: Float64Array) -> float:
    """Mean; NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")
