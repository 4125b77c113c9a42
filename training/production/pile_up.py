"""The pile-up pool: minimum-bias collisions from which the pile-up of each event is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.production.pythia_events import Particles, collision


def pile_up(rng: np.random.Generator, mean: float, pool_size: int, seed: int, cache: Path) -> Particles | None:
    """Draw a Poisson number of minimum-bias collisions from a pool of `pool_size`, each rotated about the beam.

    None stands for no collision.
    """
    count = int(rng.poisson(mean))
    chosen = np.sort(rng.integers(pool_size, size=count))
    angle = rng.uniform(0, 2 * np.pi, count)
    parts = [collision("minbias", seed, int(event), cache) for event in chosen]
    if not parts:
        return None
    joined = Particles.join(parts)
    return joined.rotated(np.repeat(angle, [len(part) for part in parts]).astype(np.float32))
