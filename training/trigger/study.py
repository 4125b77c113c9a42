"""The study: events of all samples, clusters of all systems, as jobs that can be resumed, then the result."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from models.errors import InputError, parsing
from models.files import atomic_path
from training.fit.run import Run
from training.production.allocation import FEWEST_ELINKS
from training.production.farm import Counts, Done, FarmConfig, Outcome, Part, run
from training.production.geometry import modules, trigger_layers
from training.production.source_digest import source_digest
from training.trigger import events, ntuple_events
from training.trigger.cells import cells
from training.trigger.clusters import Clusters, cluster
from training.trigger.events import EVENTS_PER_PART, MINIMUM_BIAS, Events, EventSample, Truth
from training.trigger.frames import FrontEnd
from training.trigger.system import Rule, System

_PER_MILLION = 1_000_000

_CODE = ("emulator", "models", "training.networks", "training.physics.schemes", "training.production",
         "training.trigger.cells", "training.trigger.clusters", "training.trigger.events", "training.trigger.frames",
         "training.trigger.seeds", "training.trigger.study", "training.trigger.system")
"""Modules and packages that clusters depend on: those of other code are made again."""

Sets = tuple[tuple[str, str], ...]
"""What a system depends on besides its settings, by name: digests of weights, of decoders and of a list of modules."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What to simulate and to reconstruct, and where; `output` keeps finished parts."""

    samples: tuple[EventSample, ...]
    systems: tuple[System, ...]
    n_events: int
    output: Path
    collisions: Path

    @property
    def events(self) -> Path:
        """Folder of simulated events, for all systems and all later studies."""
        return self.output / "events"


def with_rates(samples: Sequence[EventSample]) -> tuple[EventSample, ...]:
    """Samples with minimum bias of the same pile-up added, which rates are measured with; none without pile-up.

    Ntuples need one of their own: that of this simulation would give other rates.
    """
    first = samples[0]
    if not first.pile_up or any(one.name == MINIMUM_BIAS or one.ntuple for one in samples):
        return tuple(samples)
    return (*samples, EventSample(MINIMUM_BIAS, first.pile_up, first.seed))


def check(job: Job) -> None:
    """Raise InputError, before anything takes long, if the samples do not belong together or a system cannot run."""
    _check_rates(job.samples)
    for links in {system.links.allocation: system.links for system in job.systems}.values():
        if n := links.n_absent():
            log.warning("%s: %s of the %s modules are not there, or without a link; they get %d", links.allocation,
                        f"{n:,}", f"{len(modules().layer):,}", FEWEST_ELINKS)
    for system in job.systems:
        _ = front_end(system, sets_of(system)).groups
    for sample in job.samples:
        if sample.ntuple is not None:
            ntuple_events.check(sample.name, sample.ntuple, job.n_events)


def _check_rates(samples: Sequence[EventSample]) -> None:
    """Refuse minimum bias of one simulation for the thresholds of another."""
    for ordinary in (one for one in samples if one.name == MINIMUM_BIAS):
        for one in samples:
            if (one.ntuple is None) != (ordinary.ntuple is None):
                read, made = (one, ordinary) if one.ntuple is not None else (ordinary, one)
                raise InputError(f"--ntuple: {read.name} from {read.ntuple}, but {made.name} from the generator; "
                                 "expected both from one simulation, as thresholds follow from the rate of minbias")


def n_parts(job: Job) -> int:
    """Number of parts of a job that `simulate` and `reconstruct` run, those that are there already included."""
    return -(-job.n_events // EVENTS_PER_PART) * len(job.samples) * (1 + len(job.systems))


def simulate(job: Job, farm: FarmConfig | None = None, done: Done | None = None) -> None:
    """Simulate the events of all samples that are not there yet."""
    for sample in job.samples:
        folder = sample.folder(job.events)
        here = (events.parts(sample, job.n_events, folder, job.collisions) if sample.ntuple is None else
                ntuple_events.parts(sample.name, sample.ntuple, job.n_events, folder))
        run(here, folder, farm, done)


def reconstruct(job: Job, farm: FarmConfig | None = None, done: Done | None = None) -> dict[str, dict[str, Counts]]:
    """Send all events through all systems; returns the summed counts by digest of the system and sample."""
    found: dict[str, dict[str, Counts]] = {}
    by_system = [_parts(job, system, sample) for system in job.systems for sample in job.samples]
    # All systems of a file, then those of the next: a process reads a file once for the systems that it runs.
    parts = sorted(itertools.chain.from_iterable(by_system), key=lambda part: part.inputs)
    # Parts of a system stand under its digest; those of another number of events or of other weights are made again.
    counts = run(parts, job.output / "clusters", farm, done, force=True)
    for system in job.systems:
        found[system.digest()] = {sample.name: _sum([counts[part.name] for part in _parts(job, system, sample)])
                                  for sample in job.samples}
    return found


def _sum(counts: Sequence[Counts]) -> Counts:
    return {name: sum(one[name] for one in counts) for name in counts[0]}


def _parts(job: Job, system: System, sample: EventSample) -> list[Part]:
    """Parts of whole files of events; other settings or other weights have other folders."""
    found, sets = [], sets_of(system)
    made_by = repr((source_digest(*_CODE), sets))
    key = f"{system.digest()}-{hashlib.sha256(made_by.encode()).hexdigest()[:8]}"
    folder = job.output / "clusters" / key / sample.folder(job.events).name
    for first in range(0, job.n_events, EVENTS_PER_PART):
        source = events.part_file(sample.folder(job.events), first)
        output = folder / source.name
        found.append(Part(f"{key}-{folder.name}-{source.stem}", reconstruct_part, {
            "system": system, "sets": sets, "source": source, "output": output}, inputs=(source,),
            outputs=(output,), source=f"{key}/{folder.name}", span=(first, first + EVENTS_PER_PART)))
    return found


def sets_of(system: System) -> Sets:
    """Digests of what a system reads: weights of its runs, their decoders and the list of modules, if it has one."""
    decoders = {f"{rule.run_of(n)}: {rule.decoder_of(n).name}": rule.decoder_of(n) for rule, n in _encoders(system)}
    return (*weights_of(system), *((name, _file_digest(system, path)) for name, path in sorted(decoders.items())),
            *system.links.sources())


def weights_of(system: System) -> Sets:
    """Runs of the encoders of a system and digests of their weights."""
    names = {rule.run_of(n) for rule, n in _encoders(system)}
    return tuple((name, _digest(system, name)) for name in sorted(names))


def _encoders(system: System) -> list[tuple[Rule, int]]:
    """Rules of the autoencoder, with each number of links that they get."""
    links = system.links.of_modules()
    chosen = system.rules_of_modules(links)
    return [(rule, n) for index, rule in enumerate(system.rules) if rule.algorithm == "AE"
            for n in np.unique(links[chosen == index]).tolist()]


def _digest(system: System, name: str) -> str:
    run_of = Run(name)
    if not run_of.folder.exists():
        raise InputError(f"{system.where}: weights: {name}: is missing; expected the folder of a finished run or the "
                         "name of a shipped set")
    try:
        return run_of.weights.digest()
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise InputError(f"{system.where}: weights: {name}: {missing} is missing; expected the folder of a finished "
                         "run") from None


def _file_digest(system: System, path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        raise InputError(f"{system.where}: decoder: {path}: no such file; expected a decoder of the run") from None


@cache
def front_end(system: System, _sets: Sets) -> FrontEnd:
    """All chips of a system; they are kept, as decoders take seconds to load."""
    return FrontEnd(system)


@lru_cache(maxsize=1)
def _read_events(source: Path, _size_and_time: tuple[int, int]) -> Events:
    """Events of a file; the last one is kept for the next system."""
    return events.read(source)


def reconstruct_part(system: System, sets: Sets, source: Path, output: Path) -> Outcome:
    """Send all events of a file through a system and write its clusters."""
    chips, state = front_end(system, sets), source.stat()
    here = _read_events(source, (state.st_size, state.st_mtime_ns))
    n_events = len(here.numbers)
    received = chips.receive(here)
    found = cluster(cells(here, received.charge, system.clusters.least_charge), here.numbers.start, system.clusters)
    with atomic_path(output) as temporary:
        pa_parquet.write_table(_to_arrow(found), temporary, compression="zstd")
    return Outcome({
        "events": n_events, "clusters": len(found), "frames": len(here), "cut": int(received.cut.sum()),
        "occupancy_ppm": round(n_events * _PER_MILLION * chips.occupancy(here, received)),
        "charge_sent": int(here.calq.sum(dtype=np.int64)),
        "charge_received": round(float(received.charge.sum(dtype=np.float64)))}, [str(output)])


def _to_arrow(clusters: Clusters) -> pa.Table:
    columns: dict[str, npt.NDArray[Any]] = {}
    for field in fields(clusters):
        column = getattr(clusters, field.name)
        if column.ndim > 1:
            columns |= {f"{field.name}_{layer}": column[:, i] for i, layer in enumerate(trigger_layers().tolist())}
        else:
            columns[field.name] = column.astype(np.float32 if column.dtype.kind == "f" else np.int32)
    return pa.table(columns)


def _from_arrow(table: pa.Table) -> Clusters:
    columns = {}
    for field in fields(Clusters):
        if field.name in table.column_names:
            column = table[field.name].to_numpy()
            columns[field.name] = column.astype(np.float64 if column.dtype.kind == "f" else np.int64)
        else:
            columns[field.name] = np.stack([table[f"{field.name}_{layer}"].to_numpy() for layer in trigger_layers()],
                                           axis=1)
    return Clusters(**columns)


def clusters_of(job: Job, system: System, sample: EventSample) -> Clusters:
    """Clusters of all events of a sample, as `reconstruct` wrote them."""
    found = Clusters.join([_read_clusters(part.outputs[0]) for part in _parts(job, system, sample)])
    return found.select(np.flatnonzero(found.event < job.n_events))


def _read_clusters(path: Path) -> Clusters:
    with parsing(path, "clusters"):
        return _from_arrow(pa_parquet.read_table(path))


def truth_of(job: Job, sample: EventSample) -> Truth:
    """Truth of all events of a sample."""
    folder, found = sample.folder(job.events), []
    for first in range(0, job.n_events, EVENTS_PER_PART):
        found.append(events.read_truth(events.part_file(folder, first), min(EVENTS_PER_PART, job.n_events - first)))
    return Truth.join(found)
