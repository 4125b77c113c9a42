"""Particle gun: one particle into each endcap, flat in transverse momentum, pseudorapidity and azimuth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import Float64Array
from training.production.geometry import FRONT
from training.production.pythia_events import Particles, at_front

ELECTRON, PHOTON, PION = 11, 22, 211
"""PDG numbers of the particles that can be shot."""
_MASS = {ELECTRON: 0.000511, PHOTON: 0.0, PION: 0.13957}
"""Masses in GeV."""
ETA = (1.6, 2.9)
"""Range of |eta|, in which a shower is contained."""
PT = (2.0, 100.0)
"""Range of the transverse momentum in GeV."""


@dataclass(frozen=True)
class Shot:
    """Two particles at the front face, negative z first, and the transverse momentum in GeV with which each started."""

    particles: Particles
    pt: Float64Array


def shoot(rng: np.random.Generator, pdg_id: int) -> Shot:
    """Shoot one particle into each endcap from the nominal collision point; charged ones of either sign.

    Particles do not radiate and do not convert on their way.
    """
    pt, eta = rng.uniform(*PT, 2), rng.uniform(*ETA, 2)
    phi = rng.uniform(-np.pi, np.pi, 2)
    sign = rng.choice([-1, 1], 2)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), np.array([-1, 1]) * pt * np.sinh(eta)], axis=1)
    charge = np.zeros(2) if pdg_id == PHOTON else sign.astype(np.float64)
    number = np.full(2, pdg_id) if pdg_id == PHOTON else pdg_id * (-sign if pdg_id == ELECTRON else sign)
    particles = at_front(np.zeros(2, np.int64), number, charge, momentum, np.full(2, _MASS[pdg_id]), np.zeros(2))
    assert len(particles) == len(pt), "ETA keeps clear of the edges"
    return Shot(particles, pt)


def direction(particles: Particles) -> tuple[Float64Array, Float64Array]:
    """Pseudorapidity (signed) and azimuth of the points where particles enter the front face, each (n,)."""
    x, y = particles.position.T.astype(np.float64)
    eta: Float64Array = particles.side * np.arcsinh(FRONT / np.hypot(x, y))
    return eta, np.arctan2(y, x)
