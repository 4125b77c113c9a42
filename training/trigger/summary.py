"""From clusters to the result: every system on every sample, and the differences to the first system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import Float64Array
from models.chip import LINK_BITS
from training.production.farm import Counts
from training.results.trigger import Difference, LinkUse, Measured, SampleResult, SystemResult, TriggerStudy
from training.trigger import study
from training.trigger.clusters import Clusters
from training.trigger.display import displays
from training.trigger.events import GUNS, MINIMUM_BIAS, EventSample, Truth
from training.trigger.frames import FrontEnd
from training.trigger.identification import identification, rows_above
from training.trigger.jets import matched_jets
from training.trigger.objects import LEAST_PT, Folds, Objects, matched_clusters, quality
from training.trigger.rates import Resampled, largest, possible_rates, rate_curve
from training.trigger.statistics import Resampling, measured, relative_width
from training.trigger.study import Job
from training.trigger.system import System

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
    folds = {name: Folds.of(found, truths[name]) for name, found in clusters.items() if name in GUNS}
    background = top = None
    if MINIMUM_BIAS in clusters and folds and job.samples[0].pile_up:
        here = clusters[MINIMUM_BIAS]
        pt = next(iter(folds.values())).pt(here)
        top = largest(here.event, pt, job.n_events)
        background = here.select(rows_above(pt))
    chips, resampled, parts = study.front_end(system, study.weights_of(system)), {}, []
    for sample in job.samples:
        name = sample.name
        found, points, roc = None, [], None
        objects = _objects(sample, clusters[name], truths[name], folds.get(name))
        if objects is not None:
            found = quality(objects, resampling)
            resampled[name, "resolution"] = _resolution(objects, resampling)
        if name in GUNS and objects is not None and top is not None and background is not None:
            for rate in possible_rates(job.n_events):
                one = Resampled(top, objects, rate, resampling, LEAST_PT)
                points.append(one.point())
                resampled[name, f"efficiency at {rate:g} of the bunch crossings"] = one.efficiency, one.efficiencies
            near = objects.matched[(objects.matched >= 0) & (objects.matched_pt() > LEAST_PT)]
            roc = identification(clusters[name].select(np.unique(near)), background, resampling)
        parts.append(SampleResult(
            sample=name, links=_link_use(chips, counts[name]), working_points=tuple(points), identification=roc,
            clusters_per_event=len(clusters[name]) / job.n_events, objects=found))
    return _Analysed(SystemResult(
        name=system.name, file=system.where, digest=system.digest(), weights=dict(study.weights_of(system)),
        samples=tuple(parts), rates=None if top is None else rate_curve(top, resampling)), resampled)


def _objects(sample: EventSample, clusters: Clusters, truth: Truth, folds: Folds | None) -> Objects | None:
    if sample.name == MINIMUM_BIAS:
        return None
    return matched_jets(clusters, truth) if folds is None else matched_clusters(clusters, folds.pt(clusters), truth)


def _resolution(objects: Objects, resampling: Resampling) -> tuple[float, Float64Array]:
    rows = np.flatnonzero((objects.matched >= 0) & (objects.pt > LEAST_PT))
    ratio = objects.found_pt[objects.matched[rows]] / objects.pt[rows]
    return relative_width(ratio), np.array([relative_width(ratio[drawn])
                                            for drawn in resampling.draws(objects.event[rows])])


def _link_use(chips: FrontEnd, counts: Counts) -> LinkUse:
    mean_links = float(chips.n_links.mean())
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
            difference: Measured = measured(value - base, values - bases)
            error = difference.error or 0.0
            found.append(Difference(
                sample=sample, quantity=quantity, system=other.result.name, difference=difference,
                tie=difference.value is None or abs(difference.value) < _SIGMAS * error))
    return found
