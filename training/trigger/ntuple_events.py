"""Events of an ntuple with generated particles, in the files that `events` writes of simulated ones."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from models.arrays import BoolArray, FloatArray, Int64Array
from models.errors import InputError, nearest, parsing
from training.production import gun
from training.production.farm import Outcome, Part
from training.production.geometry import FRONT
from training.production.modules import ModuleTable
from training.production.ntuple import open_tree, read_modules
from training.production.pythia_events import at_front, particle_properties
from training.trigger.events import (
    DENSE,
    EVENTS_PER_PART,
    GUNS,
    MINIMUM_BIAS,
    REGISTERS,
    Truth,
    binary,
    part_file,
    rows_of,
    to_arrow,
    write,
)

MOMENTUM = ("gen_pt", "gen_eta", "gen_phi")
IDENTITY = "gen_pdgid"
STATUS, VERTEX = "gen_status", "vtx_z"
"""Optional: particles of a status other than 1 are left out; collisions are at 0 without a position, in cm."""
_NEUTRINOS = (12, 14, 16)
_STABLE = 1
_LARGEST_ETA = 20.0
"""Of particles that are looked at: the others stay in the beam pipe."""
_VECTOR = 2
"""Dimensions of a branch with many values per event."""

log = logging.getLogger(__name__)


def check(name: str, path: Path, n_events: int) -> None:
    """Raise InputError if the file of a sample has too few events or lacks a branch."""
    content = open_tree(path)
    with parsing(path, "ROOT"):
        names = content.keys()
    for branch in (*MOMENTUM, IDENTITY) if name != MINIMUM_BIAS else ():
        if branch not in names:
            raise InputError(f"{path}: branch '{branch}' is missing{nearest(branch, names)}")
    if content.num_entries < n_events:
        raise InputError(f"{path}: {content.num_entries:,} events, expected at least the {n_events:,} of --events")


def parts(name: str, path: Path, n_events: int, folder: Path) -> list[Part]:
    """Parts of a farm job that convert at least the first `n_events` events of a file into `folder`.

    Whole parts, as far as the file has events: a later run of more events goes on with them.
    """
    found, there = [], open_tree(path).num_entries
    for first in range(0, n_events, EVENTS_PER_PART):
        output, last = part_file(folder, first), min(first + EVENTS_PER_PART, there)
        found.append(Part(output.stem, convert_part, {"name": name, "path": path, "first": first, "last": last,
                                                      "output": output},
                          inputs=(path,), outputs=(output,), source=folder.name, span=(first, last)))
    return found


def convert_part(name: str, path: Path, first: int, last: int, output: Path) -> Outcome:
    """Convert the events first..last-1 into one file of events and one of generated particles."""
    modules = read_modules(path, first, last, events_per_table=1)
    tables = [_known(table, event, path) for event, table in zip(range(first, last), modules, strict=True)]
    return write(output, pa.concat_tables(tables), read_generated(name, path, first, last), last - first)


def _known(table: ModuleTable, event: int, path: Path) -> pa.Table:
    """Modules of an event; those at a place where this project's detector has none cannot be clustered."""
    module = rows_of(table)
    known = np.flatnonzero(module >= 0)
    if len(known) < len(table):
        log.warning("%s: event %d: %d of %d modules left out, the detector of this project has none there", path, event,
                    len(table) - len(known), len(table))
    here = table.select(known)
    found = to_arrow(np.full(len(here), event), here.info.zside.to_numpy() > 0, module[known], here.erx)
    return found.append_column(REGISTERS, binary(here.registers)).append_column(
        DENSE, pa.array(here.info.isHDM.to_numpy(bool)))


def read_generated(name: str, path: Path, first: int, last: int) -> Truth:
    """Generated particles of the events first..last-1 that a sample is judged by, at the front face.

    Of single particles, those of the sample's kind in the range of eta of the gun, with the transverse momentum that
    they started with; of jets and ttbar, all visible ones that reach an endcap; of minimum bias, none. Raises
    InputError naming file, event, branch and value.
    """
    if name == MINIMUM_BIAS:
        none = np.zeros(0)
        return Truth(*(none.astype(np.int64),) * 3, none, none, none)
    content = open_tree(path)
    import awkward as ak  # noqa: PLC0415  (of the extra "data")

    with parsing(path, "ROOT"):
        optional = [one for one in (STATUS, VERTEX) if one in content.keys()]  # noqa: SIM118  (a tree is not a dict)
        here = content.arrays([*MOMENTUM, IDENTITY, *optional], entry_start=first, entry_stop=last, library="ak")
    if here[MOMENTUM[0]].ndim != _VECTOR or (VERTEX in optional and here[VERTEX].ndim != 1):
        raise InputError(f"{path}: branches {MOMENTUM[0]}, {VERTEX}: expected a list and a number per event")
    counts = ak.to_numpy(ak.num(here[MOMENTUM[0]]))
    event = np.repeat(np.arange(first, last), counts)

    def check(branch: str, values: FloatArray, good: BoolArray, expected: str, of: Int64Array) -> None:
        if not good.all():
            bad = int(np.argmin(good))
            raise InputError(f"{path}: event {of[bad]}, branch {branch}: {values[bad]:g}, expected {expected}")

    def column(branch: str) -> FloatArray:
        values = here[branch]
        if values.ndim != _VECTOR or not np.array_equal(ak.to_numpy(ak.num(values)), counts):
            raise InputError(f"{path}: branch {branch}: expected as many values per event as in {MOMENTUM[0]}")
        with parsing(path, f"numbers of branch {branch}"):
            flat: FloatArray = ak.to_numpy(ak.flatten(values)).astype(np.float64)
        check(branch, flat, np.isfinite(flat), "a finite number", event)
        return flat

    pt, eta, phi = (column(branch) for branch in MOMENTUM)
    check(MOMENTUM[0], pt, pt >= 0, "at least 0 GeV", event)
    identity = column(IDENTITY)
    check(IDENTITY, identity, np.mod(identity, 1) == 0, "a whole number", event)
    pdg_id = identity.astype(np.int64)
    kept = (pt > 0) & (np.abs(eta) < _LARGEST_ETA) & _wanted(name, pdg_id, eta)
    if STATUS in optional:
        kept &= column(STATUS) == _STABLE
    vertex = ak.to_numpy(here[VERTEX]).astype(np.float64) if VERTEX in optional else np.zeros(last - first)
    check(VERTEX, vertex, np.abs(vertex) < FRONT, f"a place between the endcaps, -{FRONT:g}..{FRONT:g} cm",
          np.arange(first, last))
    start = vertex[event - first]
    known = np.unique(pdg_id[kept])
    properties = particle_properties(known)
    if not np.isfinite(properties).all():
        other = known[np.argmin(np.isfinite(properties[0]))]
        raise InputError(f"{path}: event {event[kept][pdg_id[kept] == other][0]}, branch {IDENTITY}: {other}, expected "
                         "a particle that Pythia knows")
    rows = np.flatnonzero(kept)
    return _at_front(rows, event, pdg_id, np.stack([pt, eta, phi]), start, name in GUNS)


def _wanted(name: str, pdg_id: Int64Array, eta: FloatArray) -> BoolArray:
    if name in GUNS:
        low, high = gun.ETA
        inside: BoolArray = (np.abs(pdg_id) == GUNS[name]) & (np.abs(eta) > low) & (np.abs(eta) < high)
        return inside
    return ~np.isin(np.abs(pdg_id), _NEUTRINOS)


def _at_front(
    rows: Int64Array, event: Int64Array, pdg_id: Int64Array, momentum: FloatArray, start: FloatArray, as_started: bool
) -> Truth:
    """Truth of some particles; `momentum`: transverse, eta and phi, (3, n)."""
    pt, eta, phi = momentum[:, rows]
    components = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)
    known, which = np.unique(pdg_id[rows], return_inverse=True)
    mass, charge = particle_properties(known)[:, which]
    there = at_front(np.arange(len(rows)), pdg_id[rows], charge, components, mass, start[rows])
    found_eta, found_phi = gun.direction(there)
    found_pt = pt[there.event] if as_started else there.energy / np.cosh(found_eta)
    return Truth(event[rows][there.event], there.side.astype(np.int64), there.pdg_id.astype(np.int64),
                 found_pt.astype(np.float64), found_eta, found_phi)
