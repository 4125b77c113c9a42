"""Shower simulation: from particles at the front face of an endcap to spots of charge in the silicon.

A spot is one ionising crossing of one layer and carries a Landau-like charge: sampling fluctuations come from counting.

- Mean longitudinal profile of electromagnetic showers: gamma distribution of Longo and Sestili (NIM 128 (1975) 283)
  with the depth of the maximum from the Review of Particle Physics (chapter "Passage of particles through matter"); its
  fluctuations and the radial profile: G. Grindhammer and S. Peters, hep-ex/0001020.
- Longitudinal profile of hadronic showers: R. K. Bock et al., NIM 186 (1981) 533, one electromagnetic and one hadronic
  gamma distribution, starting at the first inelastic interaction, whose depth is exponentially distributed.
- Radial profile of hadronic showers: exponential core and halo, slopes as in CALICE, JINST 11 (2016) P06013.
- Charge of a crossing: Moyal's approximation of the Landau distribution (Phil. Mag. 46 (1955) 263).

Not simulated: material in front of the calorimeter, the field inside it, backscattering, time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray, IntArray
from models.errors import not_installed
from training.production.geometry import FRONT, N_LAYERS, Layers, layers
from training.production.pythia_events import Particles

_ELECTRON, _MUON, _PHOTON = 11, 13, 22
_LOWEST_ENERGY = 0.02
"""Particles below this energy, in GeV, are not seen in any layer."""
_ELECTRON_RESPONSE, _HADRON_RESPONSE = 0.70, 0.45
"""Signal of a shower's electrons and of its hadronic part, relative to minimum-ionising particles with the same loss:
low-energy photons stop in the absorber (R. Wigmans, Calorimetry), and nuclear binding energy is invisible."""
_CORE, _HALO, _HALO_PART = 2.5, 8.0, 0.4
"""Slopes of the hadronic part in cm, and the fraction of it in the halo."""
_LANDAU_WIDTH = 0.1
"""Width of the Landau distribution in 0.3 mm of silicon, relative to its most probable value."""
_LARGEST_CROSSING = 20.0


@dataclass(frozen=True)
class Spots:
    """Crossings of silicon: particle (row of the particles), layer (from 1), position (n, 2) in cm, charge in MIP."""

    particle: IntArray
    layer: IntArray
    position: FloatArray
    charge: FloatArray


def spots(rng: np.random.Generator, particles: Particles, wanted: IntArray) -> Spots:
    """Simulate all crossings of the layers `wanted` by showers and tracks of `particles`."""
    particles_row = np.flatnonzero(particles.energy > _LOWEST_ENERGY)
    used = particles.select(particles_row)
    kind = np.abs(used.pdg_id)
    electromagnetic, muon = np.isin(kind, (_ELECTRON, _PHOTON)), kind == _MUON
    groups = [
        _electromagnetic(rng, used, np.flatnonzero(electromagnetic), wanted),
        *_hadronic(rng, used, np.flatnonzero(~electromagnetic & ~muon), wanted),
        _tracks(used, np.flatnonzero(muon), np.full(np.count_nonzero(muon), np.inf), wanted),
    ]
    row, layer, radius = (np.concatenate(columns) for columns in zip(*groups, strict=True))
    angle = rng.uniform(0, 2 * np.pi, len(row)).astype(np.float32)
    way = (layers().z[layer - 1] - FRONT).astype(np.float32)
    offset = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None].astype(np.float32)
    position = used.position[row] + used.direction[row] * way[:, None] + offset
    secant = _secant(used)[row]
    # Moyal's variable is -ln of the square of a standard normal variable.
    moyal = -2 * np.log(np.abs(rng.standard_normal(len(row), dtype=np.float32)) + 1e-6)
    charge = np.clip(1 + _LANDAU_WIDTH * moyal, 0.1, _LARGEST_CROSSING) * secant
    return Spots(particles_row[row], layer, position, charge)


def _secant(particles: Particles) -> FloatArray:
    """Path length through a layer over its thickness."""
    secant: FloatArray = np.sqrt(1 + np.sum(particles.direction**2, axis=1))
    return secant


_Group = tuple[IntArray, IntArray, FloatArray]


def _electromagnetic(rng: np.random.Generator, particles: Particles, rows: IntArray, wanted: IntArray) -> _Group:
    material = layers()
    energy = particles.energy[rows].astype(np.float64)
    shift = np.where(particles.pdg_id[rows] == _PHOTON, 0.5, -0.5)
    log_y = np.log(np.maximum(energy / material.critical_energy[0], 1.5))
    maximum = np.maximum(log_y + shift, 0.3)
    alpha = 1 + 0.5 * maximum
    # Depth of the maximum and shape have correlated log-normal fluctuations.
    sigma_maximum = 1 / np.maximum(-2.5 + 1.25 * log_y, 2.0)
    sigma_alpha = 1 / np.maximum(-0.82 + 0.79 * log_y, 2.0)
    correlation = np.clip(0.784 - 0.023 * log_y, 0, 1)
    first, second = rng.standard_normal((2, len(rows)))
    maximum = maximum * np.exp(sigma_maximum * first)
    alpha = 1 + (alpha - 1) * np.exp(sigma_alpha * (correlation * first + np.sqrt(1 - correlation**2) * second))
    rate = (alpha - 1) / maximum
    depth = _secant(particles)[rows, None] * _edges(material.radiation_lengths)
    expected = energy[:, None] * _per_energy(material, _ELECTRON_RESPONSE) * _shares(alpha, rate, depth, wanted)
    row, layer = _crossings(rng, expected, wanted)
    tau = _secant(particles)[rows][row] * _middle(material.radiation_lengths)[layer - 1] / maximum[row]
    radius = _electromagnetic_radius(rng, tau, energy[row], material.atomic_number[layer - 1])
    return rows[row], layer, radius * material.moliere_radius[layer - 1]


def _hadronic(rng: np.random.Generator, particles: Particles, rows: IntArray, wanted: IntArray) -> Sequence[_Group]:
    material = layers()
    energy = particles.energy[rows].astype(np.float64)
    secant = _secant(particles)[rows]
    interaction = secant[:, None] * _edges(material.interaction_lengths)
    radiation = secant[:, None] * _edges(material.radiation_lengths)
    start = rng.exponential(1.0, len(rows))
    first_layer = np.sum(interaction[:, 1:] <= start[:, None], axis=1)  # layers crossed before the interaction
    passed = np.take_along_axis(radiation, first_layer[:, None], axis=1)
    # Slow hadrons do not cascade: their few secondaries are the hadronic part, with the shape at 1 GeV.
    log_energy = np.log(np.maximum(energy, 1.0))
    shape, rate = 0.6165 + 0.3183 * log_energy, 0.9099 - 0.0237 * log_energy
    mean_part = np.where(energy > 1.0, 0.4634, 0.2)
    electromagnetic_part = rng.beta(3 * mean_part, 3 * (1 - mean_part))
    groups: list[_Group] = []
    for part, response, depth, slope in (
        (electromagnetic_part, _ELECTRON_RESPONSE, radiation - passed, np.full(len(rows), 0.2198)),
        (1 - electromagnetic_part, _HADRON_RESPONSE, interaction - start[:, None], rate),
    ):
        shares = _shares(shape, slope, np.maximum(depth, 0), wanted)
        expected = (energy * part)[:, None] * _per_energy(material, response) * shares
        row, layer = _crossings(rng, expected, wanted)
        if response == _ELECTRON_RESPONSE:
            tau = np.maximum(_middle(material.radiation_lengths)[layer - 1] - passed[row, 0], 0.1) / 5
            radius = (_electromagnetic_radius(rng, tau, energy[row], material.atomic_number[layer - 1])
                      * material.moliere_radius[layer - 1])
        else:
            radius = rng.gamma(2.0, np.where(rng.random(len(row)) < _HALO_PART, _HALO, _CORE))
        groups.append((rows[row], layer, radius))
    charged = np.flatnonzero(particles.charged[rows])
    groups.append(_tracks(particles, rows[charged], start[charged], wanted))
    return groups


def _tracks(particles: Particles, rows: IntArray, until: FloatArray, wanted: IntArray) -> _Group:
    """One crossing per layer, down to the depth `until` in interaction lengths or until the energy is spent."""
    material = layers()
    secant = _secant(particles)[rows, None]
    depth = secant * np.cumsum(material.interaction_lengths)
    loss = secant * np.cumsum(material.radiation_lengths * material.critical_energy)
    crosses = (depth < until[:, None]) & (loss < particles.energy[rows, None])
    row, column = np.nonzero(crosses[:, wanted - 1])
    return rows[row], wanted[column], np.zeros(len(row))


def _edges(thickness: FloatArray) -> FloatArray:
    """Depths of the layer boundaries, (51,)."""
    return np.concatenate([[0.0], np.cumsum(thickness)])


def _middle(thickness: FloatArray) -> FloatArray:
    return np.cumsum(thickness) - thickness / 2


def _per_energy(material: Layers, response: float) -> FloatArray:
    """Crossings per GeV lost in each layer, (50,): Rossi's track length, energy over the loss per radiation length."""
    return response / (material.critical_energy * material.radiation_lengths)


def _shares(shape: FloatArray, rate: FloatArray, depth: FloatArray, wanted: IntArray) -> FloatArray:
    """Share of a gamma-distributed profile in each wanted layer, (n, 50), 0 elsewhere; depth: boundaries, (n, 51)."""
    try:
        from scipy.special import gammainc  # noqa: PLC0415  (of the extra "data")
    except ImportError as error:
        raise not_installed(error, "showers need", "data") from None
    shares = np.zeros((len(shape), N_LAYERS))
    borders = np.unique(np.concatenate([wanted - 1, wanted]))
    below = np.zeros((len(shape), N_LAYERS + 1))
    below[:, borders] = gammainc(shape[:, None], rate[:, None] * depth[:, borders])
    shares[:, wanted - 1] = below[:, wanted] - below[:, wanted - 1]
    return shares


def _crossings(rng: np.random.Generator, expected: FloatArray, wanted: IntArray) -> tuple[IntArray, IntArray]:
    """Row and layer of every crossing, drawn from expected numbers (n, 50)."""
    counts = rng.poisson(expected[:, wanted - 1]).ravel()
    cell = np.repeat(np.arange(len(counts)), counts)
    return cell // len(wanted), wanted[cell % len(wanted)]


def _electromagnetic_radius(
    rng: np.random.Generator, tau: FloatArray, energy: FloatArray, atomic_number: FloatArray
) -> FloatArray:
    """Distances from the axis in Moliere radii at depth `tau`, in units of the shower maximum: core and tail."""
    log_energy = np.log(np.clip(energy, 0.4, 500.0))
    tau = np.minimum(tau, 4.0)
    core = 0.0251 + 0.00319 * log_energy + (0.1162 - 0.000381 * atomic_number) * tau
    tail = (0.659 - 0.00309 * atomic_number) * (
        np.exp(-2.59 * (tau - 0.645)) + np.exp((0.3585 + 0.0421 * log_energy) * (tau - 0.645)))
    p2, p3 = 0.401 + 0.00187 * atomic_number, 1.313 - 0.0686 * log_energy
    weight = (2.632 - 0.00094 * atomic_number) * np.exp((p2 - tau) / p3 - np.exp((p2 - tau) / p3))
    scale = np.where(rng.random(len(tau)) < weight, core, tail)
    uniform = rng.random(len(tau)) * 0.998  # cuts the far tail, which has no mean
    radius: FloatArray = scale * np.sqrt(uniform / (1 - uniform))
    return radius
