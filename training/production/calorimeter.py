"""Fast calorimeter simulation: trigger-cell charges of an event, digitised as by the readout chips and the ECON-T.

Silicon of any thickness and density yields 35 counts per MIP; the chip's calibration divides by cosh(eta), so that
35 CALQ are one transverse MIP. Noise and zero suppression are applied per trigger cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import FloatArray, IntArray
from models.trigger_cells import CALQ_PER_MIPT, N_TRIGGER_CELLS
from training.production.allocation import signal_links
from training.production.geometry import (
    LARGEST_UV,
    module_at,
    module_centre,
    module_index,
    modules,
    trigger_cell_at,
    trigger_layers,
)
from training.production.modules import LARGEST_CHARGE, ModuleTable, calibration, chip_charges, encode, pack
from training.production.pile_up import pile_up
from training.production.pythia_events import Particles, collision
from training.production.showers import spots

NOISE = 0.15
"""MIP, standard deviation per trigger cell."""
THRESHOLD = 0.5
"""MIP, zero suppression per trigger cell."""


@dataclass(frozen=True)
class Sample:
    """What to simulate: a Pythia process, the mean number of pile-up collisions drawn from a pool, and a seed."""

    process: str = "ttbar"
    pile_up: float = 200.0
    pool_size: int = 2000
    seed: int = 1
    layers: tuple[int, ...] | None = None

    def layer_numbers(self) -> IntArray:
        """Layers to simulate, ascending; all trigger layers by default."""
        return trigger_layers() if self.layers is None else np.array(sorted(self.layers))


def simulate(
    sample: Sample, event: int, cache: Path, keep_empty: bool = False, primary: Particles | None = None
) -> ModuleTable:
    """Simulate one event: the modules of both endcaps, those without a hit only if `keep_empty`.

    `primary` are the particles of the process, by default those of the Pythia process of `sample`. The result depends
    only on them, `sample` and the event number. SimEnergyFraction is the module's share of the charge that the process
    (not its pile-up) left in all simulated layers.
    """
    rng = np.random.default_rng([sample.seed, event])
    wanted = sample.layer_numbers()
    signal_rng, pile_up_rng, noise_rng = rng.spawn(3)
    if primary is None:
        primary = collision(sample.process, sample.seed, event, cache)
    signal = charges(signal_rng, primary, wanted)
    charge = signal.copy()
    extra = pile_up(pile_up_rng, sample.pile_up, sample.pool_size, sample.seed, cache)
    if extra is not None:
        charge += charges(pile_up_rng, extra, wanted)
    return digitise(noise_rng, charge, signal, event, wanted, keep_empty=keep_empty)


def charges(rng: np.random.Generator, particles: Particles, wanted: IntArray) -> FloatArray:
    """Charge of every trigger cell in MIP, (2, modules of an endcap, 48): negative z first, TC order."""
    deposits = spots(rng, particles, wanted)
    side = particles.side[deposits.particle]
    local = deposits.position * np.stack([side, np.ones_like(side)], axis=1)
    u, v = module_at(local)
    near = (np.abs(u) <= LARGEST_UV) & (np.abs(v) <= LARGEST_UV)
    module = np.where(near, module_index()[deposits.layer, np.where(near, u, 0) + LARGEST_UV,
                                              np.where(near, v, 0) + LARGEST_UV], -1)
    hit = np.flatnonzero(module >= 0)
    cell = trigger_cell_at(local[hit] - module_centre(u[hit], v[hit]))
    n_modules = len(modules().layer)
    place = ((side[hit] > 0) * n_modules + module[hit]) * N_TRIGGER_CELLS + cell
    total = np.bincount(place, deposits.charge[hit], minlength=2 * n_modules * N_TRIGGER_CELLS).astype(np.float64)
    return total.reshape(2, n_modules, N_TRIGGER_CELLS) * modules().inside


def digitise(
    rng: np.random.Generator, charge: FloatArray, signal: FloatArray, event: int, wanted: IntArray, *,
    keep_empty: bool, noise: float = NOISE,
) -> ModuleTable:
    """Digitise charges in MIP, as returned by `charges`, into the modules of the layers `wanted`.

    `signal` is the part of `charge` that the process left; `noise` is in MIP.
    """
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    here = modules()
    of_layers = np.flatnonzero(np.isin(here.layer, wanted))
    charge = charge[:, of_layers]
    noisy = charge + rng.normal(0, noise, charge.shape) * here.inside[of_layers]
    counts = np.where(noisy > THRESHOLD, np.minimum(noisy * CALQ_PER_MIPT, LARGEST_CHARGE), 0).astype(np.int64)
    high_density = here.high_density[of_layers]
    kept_side, kept = np.nonzero(counts.any(axis=2) | keep_empty)
    module = of_layers[kept]
    words = pack(encode(counts[kept_side, kept], high_density[kept]))
    registers = calibration(here.eta[module])
    calq = chip_charges(words, registers, high_density[kept])
    fraction = signal.sum(axis=2) / max(signal.sum(), 1e-9)
    info = pd.DataFrame({
        "entry": np.full(len(module), event, dtype=np.int64),
        "layer": here.layer[module],
        "waferu": here.u[module],
        "waferv": here.v[module],
        "zside": np.where(kept_side == 1, 1, -1),
        "SimEnergyFraction": fraction[kept_side, module],
        "isHDM": high_density[kept],
        "n_elinks": signal_links(here.layer[module]),
    })
    return ModuleTable(words, calq, registers.astype(np.uint16), info)
