"""The data set of the main job out of collisions: ttbar with pile-up, the modules of the configured number of links."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.calq_io import read_calq
from training.production.allocation import signal_links
from training.production.calorimeter import Sample, simulate
from training.production.geometry import trigger_layers
from training.production.modules import ModuleTable
from training.production.pythia_events import pythia_version
from training.production.stream import open_writer

CACHE = Path("runs") / "pythia"
_FORMAT = 1
_FEWEST_EVENTS = 10
"""Modules of one event share its collision; this many mix them even where one event has enough modules."""

Progress = Callable[[int, int], None]
log = logging.getLogger(__name__)


def pythia_modules(n_modules: int, seed: int, n_elinks: int, cache: Path = CACHE, progress: Progress | None = None,
                   sample: Sample | None = None) -> npt.NDArray[np.uint32]:
    """Charges (n_modules, 48) in image order, none empty, of the layers that have `n_elinks` in the signal allocation.

    More than five links are as good as five. Kept in `cache`; equal for equal arguments. `progress` is told the number
    of modules so far and wanted. Raises ToolMissing if Pythia is not installed.
    """
    layers = trigger_layers()
    of_links = layers[signal_links(layers) == min(n_elinks, int(signal_links(layers).max()))]
    sample = sample or Sample(seed=seed, layers=tuple(map(int, of_links)))
    key = repr((_FORMAT, pythia_version(), sample, n_modules))
    path = cache / f"modules-{hashlib.sha256(key.encode()).hexdigest()[:16]}.parquet"
    if not path.is_file():
        _make(sample, n_modules, cache, path, progress)
    return read_calq(path, "image").calq


def _make(sample: Sample, n_modules: int, cache: Path, path: Path, progress: Progress | None) -> None:
    began = time.perf_counter()
    log.info("Pythia %s: %d modules of %s with %g pile-up, kept in %s", pythia_version(), n_modules, sample.process,
             sample.pile_up, cache)
    tables: list[ModuleTable] = []
    found = 0
    while found < n_modules or len(tables) < _FEWEST_EVENTS:
        tables.append(simulate(sample, len(tables), cache))
        tables[-1] = tables[-1].select(np.flatnonzero(tables[-1].calq.any(axis=1)))
        found += len(tables[-1])
        if progress is not None:
            progress(min(found, n_modules), n_modules)
    rows: npt.NDArray[Any] = np.random.default_rng(sample.seed).permutation(found)[:n_modules]
    with open_writer(path) as writer:
        writer.write(ModuleTable.join(tables).select(rows).to_arrow("image"))
    log.info("%d events in %.0f s", len(tables), time.perf_counter() - began)


