"""From clusters to the result: every system on every sample, and the differences to the first system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import Float64Array
from models.chip import LINK_BITS
from training.production.farm import Counts
from training.results.trigger import Difference, LinkUse, Measured, SampleResult, Shape, SystemResult, TriggerStudy
from training.trigger import study
from training.trigger.clusters import Clusters
from training.trigger.display import displays
from training.trigger.events import GUNS, MINIMUM_BIAS, Truth
from training.trigger.frames import FrontEnd
from training.trigger.identification import identification, rows_above, shapes
from training.trigger.jets import LEAST_GENERATED_PT, JetFolds, generated, matched_jets, reconstructed
from training.trigger.objects import LEAST_PT, Folds, Objects, matched_clusters, quality
from training.trigger.rates import Resampled, largest, possible_rates, rate_curve
from training.trigger.statistics import Resampling, measured, relative_width
from training.trigger.study import Job
from training.trigger.system import LayerWeights, System

_SIGMAS = 3.0


@dataclass(frozen=True)
class _Analysed:
    """A system: its result, and what differences to other systems are made of, by sample and quantity."""

    result: SystemResult
    resampled: dict[tuple[str, str], tuple[float, Float64Array]]


def summarise(job: Job, counts: Mapping[str, Mapping[str, Counts]], seed: int = 1) -> TriggerStudy:
    """Calibrate, match and measure everything; counts: those of `study.reconstruct`."""
    truths = {sample.name: study.truth_of(job, sample) for sample in job.samples}
    analysed = [_analyse(job, system, counts[system.digest()], truths, seed) for system in job.systems]
    return TriggerStudy(
        pile_up=job.samples[0].pile_up, n_events=job.n_events, seed=seed,
        samples=tuple(sample.name for sample in job.samples), systems=tuple(one.result for one in analysed),
        differences=tuple(_differences(analysed)), displays=displays(job))


def _analyse(
    job: Job, system: System, counts: Mapping[str, Counts], truths: Mapping[str, Truth], seed: int
) -> _Analysed:
    resampling = Resampling(job.n_events, seed=seed)
    clusters = {sample.name: study.clusters_of(job, system, sample) for sample in job.samples}
    ordinary = clusters.get(MINIMUM_BIAS) if job.samples[0].pile_up else None
    chips, resampled, parts = study.front_end(system, study.sets_of(system)), {}, []
    for sample in job.samples:
        name = sample.name
        found, rates, points, roc = None, None, [], None
        forms: tuple[Shape, ...] = ()
        if name != MINIMUM_BIAS:
            here = _measured(name, clusters[name], truths[name], ordinary, job.n_events, system.layer_weights)
            objects = here.objects
            least_pt = LEAST_PT if name in GUNS else LEAST_GENERATED_PT
            found = quality(objects, resampling, least_pt)
            resampled[name, "resolution"] = _resolution(objects, resampling, least_pt)
            if here.top is not None:
                rates = rate_curve(here.top, resampling)
                for rate in possible_rates(job.n_events):
                    one = Resampled(here.top, objects, rate, resampling, least_pt)
                    points.append(one.point())
                    resampled[name, f"efficiency at {rate:g} of the bunch crossings"] = one.efficiency, one.efficiencies
            if name in GUNS:
                near = objects.matched[(objects.matched >= 0) & (objects.matched_pt() > LEAST_PT)]
                signal = clusters[name].select(np.unique(near))
                forms = shapes(signal, here.background, resampling)
                roc = identification(signal, here.background, resampling) if here.background is not None else None
        parts.append(SampleResult(
            sample=name, links=_link_use(chips, counts[name]), working_points=tuple(points), identification=roc,
            clusters_per_event=len(clusters[name]) / job.n_events, objects=found,
            rates=rates, shapes=forms))
    return _Analysed(SystemResult(
        name=system.name, file=system.where, digest=system.digest(), weights=dict(study.weights_of(system)),
        samples=tuple(parts)), resampled)


@dataclass(frozen=True)
class _Reconstructed:
    """What a system finds of a sample, and of ordinary bunch crossings in the calibration of this sample.

    top: largest transverse momentum of each ordinary bunch crossing, (n events,); background: its clusters, for single
    particles alone.
    """

    objects: Objects
    top: Float64Array | None = None
    background: Clusters | None = None


def _measured(
    name: str, clusters: Clusters, truth: Truth, ordinary: Clusters | None, n_events: int, layer_weights: LayerWeights
) -> _Reconstructed:
    if name in GUNS:
        folds = Folds.of(clusters, truth, layer_weights)
        objects = matched_clusters(clusters, folds.pt(clusters), truth)
        if ordinary is None:
            return _Reconstructed(objects)
        pt = folds.pt(ordinary)
        return _Reconstructed(objects, largest(ordinary.event, pt, n_events), ordinary.select(rows_above(pt)))
    wanted, found = generated(truth), reconstructed(clusters)
    calibrations = JetFolds.of(found, wanted)
    objects = matched_jets(found, calibrations.pt(found), wanted)
    if ordinary is None:
        return _Reconstructed(objects)
    others = reconstructed(ordinary)
    return _Reconstructed(objects, largest(others.event, calibrations.pt(others), n_events))


def _resolution(objects: Objects, resampling: Resampling, least_pt: float) -> tuple[float, Float64Array]:
    rows = np.flatnonzero((objects.matched >= 0) & (objects.pt > least_pt))
    ratio = objects.found_pt[objects.matched[rows]] / objects.pt[rows]
    return relative_width(ratio), np.array([relative_width(ratio[drawn])
                                            for drawn in resampling.draws(objects.event[rows])])


def _link_use(chips: FrontEnd, counts: Counts) -> LinkUse:
    mean_links = float(chips.links_that_send.mean())
    occupancy = counts["occupancy_ppm"] / counts["events"] / 1e6
    rows = sorted((one.rule.algorithm, one.n_links, len(one.modules)) for one in chips.groups)
    return LinkUse(
        modules={f"{algorithm}, {n} links": size for algorithm, n, size in rows}, mean_links=mean_links,
        bits=occupancy * mean_links * LINK_BITS, occupancy=occupancy, cut=counts["cut"] / max(counts["frames"], 1),
        charge=counts["charge_received"] / max(counts["charge_sent"], 1))


def _differences(analysed: list[_Analysed]) -> list[Difference]:
    first, found = analysed[0], []
    for other in analysed[1:]:
        for (sample, quantity), (value, values) in other.resampled.items():
            base, bases = first.resampled[sample, quantity]
            if not np.isfinite(value - base):
                continue
            difference: Measured = measured(value - base, values - bases)
            error = difference.error or 0.0
            found.append(Difference(
                sample=sample, quantity=quantity, system=other.result.name, difference=difference,
                tie=abs(value - base) <= _SIGMAS * error))
    return found
