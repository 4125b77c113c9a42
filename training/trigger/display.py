"""Event display: one endcap of one event, as every system shows it to the back end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray
from training.results.trigger import DisplayCells, EventDisplay
from training.trigger import events
from training.trigger.cells import Cells, cells, sums
from training.trigger.clusters import Clusters, cluster
from training.trigger.events import GUNS, MINIMUM_BIAS, Events, EventSample
from training.trigger.study import Job, front_end, sets_of
from training.trigger.system import Rule, System

PITCH = 0.0125
"""Size of the bins in x/z and y/z; charges of all layers are summed."""
_SHOWN_PT = 5.0
_LEAST_CHARGE = 0.5
_ENDCAP = 1


def displays(job: Job) -> tuple[EventDisplay, ...]:
    """The first event of the first sample that has a process, at positive z, in all systems and as it is."""
    sample = next((one for one in job.samples if one.name != MINIMUM_BIAS), None)
    if sample is None:
        return ()
    here = events.read(events.part_file(sample.folder(job.events), 0), 1)
    return (EventDisplay(sample=sample.name, event=0, endcap=_ENDCAP, truth=_truth(here, sample),
                         systems=tuple(_shown(here, system) for system in _beside_everything(job.systems))),)


def _beside_everything(systems: Sequence[System]) -> tuple[System, ...]:
    """Systems with all charges before them, unless one has all charges already."""
    if any(all(rule.algorithm == "all" for rule in one.rules) for one in systems):
        return tuple(systems)
    return (System(name="full information", rules=(Rule(algorithm="all"),)), *systems)


def _truth(here: Events, sample: EventSample) -> tuple[tuple[float, float, float], ...]:
    truth = here.truth
    rows = (truth.side > 0) & ((truth.pt > _SHOWN_PT) | (sample.name in GUNS))
    return tuple(_places(truth.eta[rows], truth.phi[rows], truth.pt[rows]))


def _places(eta: FloatArray, phi: FloatArray, pt: FloatArray) -> list[tuple[float, float, float]]:
    radius = 1 / np.sinh(np.abs(eta))
    return list(zip((radius * np.cos(phi)).tolist(), (radius * np.sin(phi)).tolist(), pt.tolist(), strict=True))


def _shown(here: Events, system: System) -> DisplayCells:
    received = front_end(system, sets_of(system)).receive(here)
    found = cells(here, received.charge, system.clusters.least_charge)
    found = found.select(np.flatnonzero(found.group == _ENDCAP))
    x, y, charge = _summed(found)
    clusters: Clusters = cluster(found, 0, system.clusters)
    clusters = clusters.select(np.flatnonzero(clusters.pt > _SHOWN_PT))
    return DisplayCells(system=system.name, x=tuple(x.tolist()), y=tuple(y.tolist()), charge=tuple(charge.tolist()),
                        clusters=tuple(_places(clusters.eta, clusters.phi, clusters.pt)))


def _summed(found: Cells) -> tuple[FloatArray, FloatArray, FloatArray]:
    column, row = (np.floor(position / PITCH).astype(np.int64) for position in (found.x, found.y))
    place, inverse = np.unique(np.stack([column, row], axis=1), axis=0, return_inverse=True)
    charge = sums(inverse.ravel(), found.charge, len(place))
    kept = np.flatnonzero(charge > _LEAST_CHARGE)
    return (place[kept, 0] + 0.5) * PITCH, (place[kept, 1] + 0.5) * PITCH, charge[kept]
