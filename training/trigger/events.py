"""Whole events, simulated once and kept: what every chip of both endcaps receives, and what was generated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from emulator.front_end import N_ERX
from models.arrays import BoolArray, Float64Array, Int64Array, IntArray
from models.errors import InputError, nearest, parsing
from models.files import atomic_path
from models.trigger_cells import N_TRIGGER_CELLS, to_trigger_cells
from training.production import gun
from training.production.calorimeter import Sample, simulate
from training.production.farm import Outcome, Part
from training.production.geometry import LARGEST_UV, module_index, modules
from training.production.modules import ModuleTable, calibration, chip_charges
from training.production.pythia_events import Particles, collision, pythia_version
from training.production.source_digest import source_digest

GUNS = {"electrons": gun.ELECTRON, "photons": gun.PHOTON, "pions": gun.PION}
"""Samples of single particles, one into each endcap, by PDG number."""
MINIMUM_BIAS = "minbias"
SAMPLES = (*GUNS, "jets", "ttbar", MINIMUM_BIAS)
"""All samples. Minimum bias with pile-up is pile-up alone: the collisions of an ordinary bunch crossing."""
EVENTS_PER_PART = 10
"""Events that are simulated, and go through a system, at a time."""
MODULES_AT_ONCE = 16_384
"""Modules whose charges are computed at a time: those of a part, in 64 bits, would take a GiB."""
_POOL = 10_000
EVENTS_APART = 1_000_000
"""Most events of a sample: others use events of other numbers, so that each has its own pile-up."""
_CODE = ("training.production", "training.trigger.events", "training.trigger.ntuple_events", "emulator.front_end",
         "models.trigger_cells")
"""Modules and packages that events depend on: those of other code are simulated anew."""
_N_EVENTS = b"events"
"""Key of the number of events of a file: the last part of an ntuple may have fewer than others."""
REGISTERS, DENSE = "registers", "high_density"
"""Columns of events whose chips are not set as `modules` says: calibration registers, and whether 3 bits drop."""


@dataclass(frozen=True)
class EventSample:
    """What to simulate: one of SAMPLES, the mean number of pile-up collisions, and a seed; or an ntuple with it."""

    name: str
    pile_up: float = 200.0
    seed: int = 1
    ntuple: Path | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.name not in SAMPLES:
            raise InputError(f"sample '{self.name}', expected one of {', '.join(SAMPLES)}{nearest(self.name, SAMPLES)}")

    def folder(self, cache_folder: Path) -> Path:
        """Folder of the events; it depends on everything that they depend on."""
        if self.ntuple is None:
            key = repr((source_digest(*_CODE), self, _POOL, EVENTS_PER_PART, pythia_version()))
            kind = f"pu{self.pile_up:g}"
        else:
            state = self.ntuple.stat()
            key = repr((source_digest(*_CODE), str(self.ntuple.resolve()), state.st_size, state.st_mtime_ns,
                        EVENTS_PER_PART))
            kind = "ntuple"
        return cache_folder / f"{self.name}-{kind}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


@dataclass(frozen=True)
class Truth:
    """Particles at the front face: event, side (-1, +1), PDG number, transverse momentum in GeV, eta and phi, (n,)."""

    event: Int64Array
    side: Int64Array
    pdg_id: Int64Array
    pt: Float64Array
    eta: Float64Array
    phi: Float64Array

    @classmethod
    def join(cls, parts: Sequence[Truth]) -> Truth:
        """Concatenate at least one truth."""
        return cls(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in vars(parts[0])})


@dataclass(frozen=True)
class Events:
    """What the chips receive in consecutive events, one row for each chip with a signal, and the truth.

    event, endcap (0 at negative z, 1 at positive) and module (row of `geometry.modules`), all (n,); calq (n, 48) in
    trigger-cell order. `numbers` are those of the events.
    """

    numbers: range
    event: Int64Array
    endcap: Int64Array
    module: Int64Array
    calq: npt.NDArray[np.uint32]
    truth: Truth

    def __len__(self) -> int:
        return len(self.event)


def parts(sample: EventSample, n_events: int, folder: Path, collisions: Path) -> list[Part]:
    """Parts of a farm job that simulate the first `n_events` events into `folder`."""
    found = []
    for first in range(0, n_events, EVENTS_PER_PART):
        path = part_file(folder, first)
        found.append(Part(path.stem, simulate_part, {"sample": sample, "first": first, "output": path,
                                                     "collisions": collisions},
                          outputs=(path,), source=folder.name, span=(first, first + EVENTS_PER_PART)))
    return found


def part_file(folder: Path, first: int) -> Path:
    """File of the part that begins with an event."""
    return folder / f"events_{first:07d}.parquet"


def simulate_part(sample: EventSample, first: int, output: Path, collisions: Path) -> Outcome:
    """Simulate EVENTS_PER_PART events into one file."""
    modules_of, truths = [], []
    for event in range(first, first + EVENTS_PER_PART):
        primary, truth = _primary(sample, event, collisions)
        process = Sample(sample.name, sample.pile_up, _POOL, sample.seed)
        table = simulate(process, _number(sample, event), collisions, primary=primary)
        positive = table.info.zside.to_numpy() > 0
        modules_of.append(to_arrow(np.full(len(table), event), positive, rows_of(table), table.erx))
        truths.append(truth)
    return write(output, pa.concat_tables(modules_of), Truth.join(truths), EVENTS_PER_PART)


def rows_of(table: ModuleTable) -> Int64Array:
    """Row of `geometry.modules` of each module, -1 for one that it does not have, (n,)."""
    info = table.info
    found: Int64Array = module_index()[info.layer, info.waferu + LARGEST_UV, info.waferv + LARGEST_UV].astype(np.int64)
    return found


def to_arrow(event: IntArray, positive: BoolArray, module: IntArray, erx: npt.NDArray[np.uint32]) -> pa.Table:
    """Table of the modules of some events, as `write` takes it; `positive`: of z."""
    return pa.table({
        "event": pa.array(event.astype(np.int32)), "endcap": pa.array(positive.astype(np.int8)),
        "module": pa.array(module.astype(np.int16)), "words": binary(erx)})


def binary(rows: npt.NDArray[Any]) -> pa.Array:
    """Rows of an array, (n, ...), as one column of bytes."""
    size = rows.dtype.itemsize * rows.shape[1]
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(size), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows).tobytes())])


def write(output: Path, table: pa.Table, truth: Truth, n_events: int) -> Outcome:
    """Write the modules and the truth of a part, which may have events without modules."""
    modules_of = table.combine_chunks().replace_schema_metadata({_N_EVENTS: str(n_events)})
    for path, content in ((output, modules_of), (_truth_file(output), pa.table(vars(truth)))):
        with atomic_path(path) as temporary:
            pa_parquet.write_table(content, temporary, compression="zstd")
    return Outcome({"events": n_events, "modules": len(table)}, [str(output), str(_truth_file(output))])


def _truth_file(path: Path) -> Path:
    return path.with_name(path.name.replace("events_", "truth_"))


def _number(sample: EventSample, event: int) -> int:
    return SAMPLES.index(sample.name) * EVENTS_APART + event


def _primary(sample: EventSample, event: int, collisions: Path) -> tuple[Particles, Truth]:
    """Particles of the process and the truth of one event."""
    if sample.name in GUNS:
        shot = gun.shoot(np.random.default_rng([sample.seed, _number(sample, event), 1]), GUNS[sample.name])
        particles, pt = shot.particles, shot.pt
        eta, phi = gun.direction(particles)
    else:
        pile_up_alone = sample.name == MINIMUM_BIAS and sample.pile_up > 0
        particles = Particles.none() if pile_up_alone else collision(sample.name, sample.seed,
                                                                     _number(sample, event), collisions)
        eta, phi = gun.direction(particles)
        pt = particles.energy / np.cosh(eta)
    side, number = particles.side.astype(np.int64), particles.pdg_id.astype(np.int64)
    truth = Truth(np.full(len(particles), event), side, number, pt.astype(np.float64), eta, phi)
    return particles, truth


def read(path: Path, n_events: int = EVENTS_PER_PART) -> Events:
    """Read the first `n_events` events of a part; raises InputError for a file that is not one."""
    with parsing(path, "simulated events"):
        table = pa_parquet.read_table(path)
        numbers = _numbers(path, min(n_events, int(table.schema.metadata[_N_EVENTS])))
        words = np.frombuffer(table["words"].combine_chunks().buffers()[1], np.uint32).reshape(-1, N_ERX)
        event, endcap, module = (table[name].to_numpy().astype(np.int64) for name in ("event", "endcap", "module"))
        calibrations: IntArray
        if REGISTERS in table.column_names:
            calibrations = np.frombuffer(table[REGISTERS].combine_chunks().buffers()[1], np.uint16).reshape(
                -1, N_TRIGGER_CELLS)
            which, dense = np.arange(len(module)), table[DENSE].to_numpy()
        else:
            calibrations, which, dense = registers(), module, modules().high_density[module]
    kept = np.flatnonzero(event < numbers.stop)
    calq = np.empty((len(kept), N_TRIGGER_CELLS), dtype=np.uint32)
    for start in range(0, len(kept), MODULES_AT_ONCE):
        rows = kept[start : start + MODULES_AT_ONCE]
        charges = chip_charges(words[rows], calibrations[which[rows]].astype(np.int64), dense[rows])
        calq[start : start + MODULES_AT_ONCE] = to_trigger_cells(charges)
    return Events(numbers, event[kept], endcap[kept], module[kept], calq, read_truth(path, n_events))


def read_truth(path: Path, n_events: int = EVENTS_PER_PART) -> Truth:
    """Read the truth of the first `n_events` events of a part."""
    path = _truth_file(path)
    with parsing(path, "generated particles"):
        table = pa_parquet.read_table(path)
        columns = {field.name: table[field.name].to_numpy() for field in fields(Truth)}
    kept = columns["event"] < _numbers(path, n_events).stop
    return Truth(**{name: column[kept] for name, column in columns.items()})


def _numbers(path: Path, n_events: int) -> range:
    first = int(path.stem.split("_")[1])
    return range(first, first + n_events)


@cache
def registers() -> IntArray:
    """Calibration registers of all modules of an endcap, (n, 48)."""
    return calibration(modules().eta)


def exists() -> BoolArray:
    """Whether each trigger cell has silicon, (n modules of an endcap, 48)."""
    inside: BoolArray = modules().inside
    assert inside.shape[1] == N_TRIGGER_CELLS
    return inside
