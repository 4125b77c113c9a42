"""Proton collisions at 14 TeV from Pythia 8: the particles that reach the endcaps, cached on disk in blocks.

A block holds a fixed number of events from one freshly seeded generator, so that an event depends only on process, seed
and number, not on what was generated before it. Reference: C. Bierlich et al., SciPost Phys. Codebases 8 (2022).
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray, IntArray
from models.errors import InputError, nearest, not_installed, parsing
from models.files import atomic_path
from training.production.geometry import ETA_RANGE, FRONT

PROCESSES = {
    "minbias": ("SoftQCD:inelastic = on",),
    "ttbar": ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on"),
    "jets": ("HardQCD:all = on", "PhaseSpace:pTHatMin = 20."),
    "electrons": ("WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 11", "PhaseSpace:mHatMin = 60."),
}
"""Pythia settings by process; electrons come from Z decays."""

_COMMON = (
    "Print:quiet = on",
    "Beams:eCM = 14000.",
    # Particles that live longer than 1 m / c reach the calorimeter; K0S and Lambda decay before.
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 1000.",
)
_EVENTS_PER_BLOCK = {"minbias": 500}
_FIELD = 3.8
"""Magnetic field along z, in tesla."""
_CURVATURE = 2.998e-3 * _FIELD
"""Transverse momentum of a unit charge over its bending radius, in GeV/cm."""
_BEAM_SPOT = 4.5
"""Standard deviation of the collisions along z, in cm."""
_LIGHT = 29.98
"""Speed of light in cm/ns."""
_BUNCH_SPACING = 25.0
"""Bunch spacing in ns; particles that lag behind light by more belong to another bunch crossing and are dropped."""
_FORMAT = "2"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Particles:
    """Particles at the front face of an endcap.

    event (number within the block), pdg_id, side (-1, +1) and charged, all (n,); position in cm, (n, 2); direction as
    dx/dz and dy/dz, z pointing outwards, (n, 2); kinetic energy in GeV, (n,).
    """

    event: IntArray
    pdg_id: IntArray
    side: IntArray
    charged: npt.NDArray[np.bool_]
    position: FloatArray
    direction: FloatArray
    energy: FloatArray

    def __len__(self) -> int:
        return len(self.event)

    def select(self, rows: npt.NDArray[Any] | slice) -> Particles:
        """Return these particles alone."""
        return Particles(**{name: column[rows] for name, column in vars(self).items()})

    def rotated(self, angle: FloatArray) -> Particles:
        """Rotate each particle about the beam by its own angle."""
        cos, sin = np.cos(angle), np.sin(angle)

        def turn(vector: FloatArray) -> FloatArray:
            return np.stack([cos * vector[:, 0] - sin * vector[:, 1], sin * vector[:, 0] + cos * vector[:, 1]], axis=1)

        return Particles(**vars(self) | {"position": turn(self.position), "direction": turn(self.direction)})

    @classmethod
    def none(cls) -> Particles:
        """No particles."""
        number, vector = np.zeros(0, np.int32), np.zeros((0, 2), np.float32)
        return cls(number, number, number, np.zeros(0, bool), vector, vector, np.zeros(0, np.float32))

    @classmethod
    def join(cls, parts: list[Particles]) -> Particles:
        """Concatenate at least one set of particles."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def events_per_block(process: str) -> int:
    """Number of events in each block of a process."""
    return _EVENTS_PER_BLOCK.get(process, 25)


def check_process(process: str) -> None:
    """Raise InputError unless the process is one of PROCESSES."""
    if process not in PROCESSES:
        raise InputError(f"process '{process}', expected one of {', '.join(PROCESSES)}{nearest(process, PROCESSES)}")


def pythia_version() -> str:
    """Version of Pythia; raises ToolMissing if a package needed for events is not installed."""
    try:
        import awkward  # noqa: F401, PLC0415  (of the extra "data")

        return version("pythia8mc")
    except ImportError as error:
        raise not_installed(error, "events need", "data") from None


@lru_cache(maxsize=64)
def block(process: str, seed: int, number: int, cache: Path) -> Particles:
    """All particles of one block of events, read from `cache` if it holds them."""
    check_process(process)
    key = repr((_FORMAT, pythia_version(), PROCESSES[process], _COMMON, events_per_block(process), seed, number))
    path = cache / f"{process}-{seed}-{number}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if path.is_file():
        return stored(path)
    particles = _generate(process, np.random.SeedSequence([seed, number, sorted(PROCESSES).index(process)]), cache)
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(particles))
    return particles


def stored(path: Path) -> Particles:
    """Read a cached block; raises InputError if the file holds anything else."""
    with parsing(path, "collisions"), np.load(path, allow_pickle=False) as content:
        particles = Particles(**content)
        n = len(particles)
        for name, column in vars(particles).items():
            expected = (n, 2) if name in ("position", "direction") else (n,)
            if column.dtype.kind not in "iufb" or column.shape != expected:
                raise InputError(f"{path}: {name} is {column.dtype} of shape {column.shape}, expected numbers of shape "
                                 f"{expected}; delete the file to generate it again")
    return particles


def _generate(process: str, seeds: np.random.SeedSequence, cache: Path) -> Particles:
    n_events = events_per_block(process)
    # Pythia accepts seeds up to 900,000,000; 0 would mean the current time.
    pythia = _pythia(process, 1 + int(seeds.generate_state(1)[0]) % 900_000_000, cache)
    record = pythia.nextBatch(n_events)
    if len(record) != n_events:
        raise RuntimeError(f"Pythia generated {len(record)} of {n_events} events of {process}")
    import awkward as ak  # noqa: PLC0415  (of the extra "data")

    final = record.prt[record.prt.status > 0]
    event = np.repeat(np.arange(n_events), ak.num(final.id))
    flat = ak.flatten(final)
    momentum = np.stack([ak.to_numpy(getattr(flat.p, axis)) for axis in ("px", "py", "pz")], axis=1)
    pdg_id, mass = ak.to_numpy(flat.id), ak.to_numpy(flat.m)
    known, which = np.unique(pdg_id, return_inverse=True)
    charge = np.array([pythia.particleData.charge(int(name)) for name in known])[which]
    start = np.random.default_rng(seeds).normal(0, _BEAM_SPOT, n_events)[event]
    seen = ~np.isin(np.abs(pdg_id), (12, 14, 16)) & (momentum[:, 2] != 0)
    return at_front(event[seen], pdg_id[seen], charge[seen], momentum[seen], mass[seen], start[seen])


def _pythia(process: str, seed: int, cache: Path) -> Any:
    """Initialise a generator; the slow part of the initialisation of minimum bias is cached beside the blocks."""
    import pythia8mc  # noqa: PLC0415  (of the extra "data")

    cache.mkdir(parents=True, exist_ok=True)
    tables = cache / f"multiparton-{pythia_version()}.txt"
    if process == "minbias" and not tables.is_file():
        log.info("Pythia: initialising minimum bias for the first time, about 10 s")
        with atomic_path(tables) as temporary:
            temporary.unlink()
            _start(pythia8mc, (*PROCESSES[process], "MultipartonInteractions:reuseInit = 3"), 1, temporary)
    # Always read the tables, even right after writing them: the numbers in the file are rounded.
    reuse = ("MultipartonInteractions:reuseInit = 2",) if process == "minbias" else ()
    return _start(pythia8mc, (*PROCESSES[process], *reuse), seed, tables)


def particle_properties(pdg_id: IntArray) -> FloatArray:
    """Mass in GeV and charge of particles by their PDG number, (2, n); NaN for those that Pythia does not know."""
    import pythia8mc  # noqa: PLC0415  (of the extra "data")

    data = pythia8mc.Pythia("", False).particleData
    found = [(data.m0(number), data.charge(number)) if data.isParticle(number) else (np.nan, np.nan)
             for number in pdg_id.tolist()]
    return np.array(found, dtype=np.float64).reshape(-1, 2).T


def _start(pythia8mc: Any, settings: tuple[str, ...], seed: int, tables: Path) -> Any:
    pythia = pythia8mc.Pythia("", False)
    pythia.settings.word("MultipartonInteractions:initFile", str(tables))  # readString would stop at a space
    for setting in (*_COMMON, *settings, "Random:setSeed = on", f"Random:seed = {seed}"):
        if not pythia.readString(setting):
            raise RuntimeError(f"Pythia rejects the setting '{setting}'")
    if not pythia.init():
        raise RuntimeError(f"Pythia cannot be initialised with {', '.join(settings)}")
    return pythia


def at_front(
    event: IntArray, pdg_id: IntArray, charge: FloatArray, momentum: FloatArray, mass: FloatArray, start: FloatArray
) -> Particles:
    """Propagate particles along lines or helices to the front face; drop those that leave through the barrel."""
    transverse = np.hypot(momentum[:, 0], momentum[:, 1])
    side = np.where(momentum[:, 2] > 0, 1, -1)
    slope = transverse / np.abs(momentum[:, 2])
    length = (FRONT - side * start) * slope  # of the path, projected onto the transverse plane
    bend = charge * _CURVATURE / np.maximum(transverse, 1e-6)  # turn per cm of it; positive charges turn clockwise
    turn = -bend * length
    phi = np.arctan2(momentum[:, 1], momentum[:, 0])
    chord = length * np.sinc(turn / (2 * np.pi))
    at = phi + turn / 2
    position = np.stack([chord * np.cos(at), chord * np.sin(at)], axis=1)
    direction = np.stack([slope * np.cos(phi + turn), slope * np.sin(phi + turn)], axis=1)
    furthest = np.where(np.abs(turn) < np.pi, np.abs(chord), 2 / np.maximum(np.abs(bend), 1e-9))
    inner, outer = (FRONT / np.sinh(eta) for eta in reversed(ETA_RANGE))
    energy = np.sqrt(np.sum(momentum**2, axis=1) + mass**2)
    delay = FRONT * (energy / np.abs(momentum[:, 2]) - 1) / _LIGHT
    # A shower extends some centimetres beyond its particle.
    reaches = (np.abs(chord) > inner - 10) & (furthest < outer + 10) & (delay < _BUNCH_SPACING)
    kinetic = energy - mass
    # Electrons, which annihilate in the end, and photons deposit their mass as well.
    kinetic = np.where(np.isin(np.abs(pdg_id), (11, 22)), kinetic + mass, kinetic)
    rows = np.flatnonzero(reaches)
    return Particles(event[rows].astype(np.int32), pdg_id[rows].astype(np.int32), side[rows].astype(np.int8),
                     charge[rows] != 0, position[rows].astype(np.float32), direction[rows].astype(np.float32),
                     kinetic[rows].astype(np.float32))


def collision(process: str, seed: int, event: int, cache: Path) -> Particles:
    """Particles of one event; events are numbered from 0."""
    number, within = divmod(event, events_per_block(process))
    particles = block(process, seed, number, cache)
    return particles.select(slice(*np.searchsorted(particles.event, [within, within + 1])))
