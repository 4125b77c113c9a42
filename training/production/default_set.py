"""Default data set: ttbar collisions with pile-up, restricted to modules with the configured number of links."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.calq_io import CalqTable, read_calq
from models.errors import InputError
from training.production import CACHE
from training.production.allocation import signal_links
from training.production.calorimeter import Sample, simulate
from training.production.geometry import trigger_layers
from training.production.modules import COLUMNS, ModuleTable
from training.production.pythia_events import block, events_per_block, pythia_version
from training.production.stream import open_writer

_FORMAT = 1
_FEWEST_EVENTS = 10
"""Modules of one event share a collision: mix at least this many events, even if fewer yield enough modules."""

log = logging.getLogger(__name__)


def pythia_modules(
    n_modules: int, seed: int, n_elinks: int, cache: Path = CACHE, sample: Sample | None = None,
    report_seconds: float = 5.0, *, layers: Sequence[int] = (),
) -> CalqTable:
    """Return `n_modules` non-empty modules, with COLUMNS, of `layers`.

    They are, by default, those that have `n_elinks` in the signal allocation; one link is treated as two and more
    than five as five: no layer has them. Equal arguments give equal modules, cached in `cache`. Progress is logged
    every `report_seconds`. Raises ToolMissing if Pythia is not installed, and InputError for a layer without a trigger.
    """
    sample = sample or Sample(seed=seed, layers=_existing(layers) if layers else _of_links(n_elinks))
    key = repr((_FORMAT, pythia_version(), sample, n_modules))
    path = cache / f"modules-{hashlib.sha256(key.encode()).hexdigest()[:16]}.parquet"
    if not path.is_file():
        _make(sample, n_modules, cache, path, report_seconds)
    table = read_calq(path, "image")
    source = f"Pythia {pythia_version()}, {sample.process} with {sample.pile_up:g} pile-up, seed {sample.seed}"
    return CalqTable(table.calq, table.extra[list(COLUMNS)], source)


def _of_links(n_elinks: int) -> tuple[int, ...]:
    layers = trigger_layers()
    links = signal_links(layers)
    return tuple(layers[links == np.clip(n_elinks, links.min(), links.max())].tolist())


def _existing(layers: Sequence[int]) -> tuple[int, ...]:
    known = trigger_layers().tolist()
    unknown = next((layer for layer in layers if layer not in known), None)
    if unknown is not None:
        raise InputError(f"data.layers: {unknown} is not a trigger layer; expected some of "
                         f"{', '.join(map(str, known))}")
    return tuple(sorted(set(layers)))


class _Progress:
    """Progress messages in the log, at most one every `seconds`."""

    def __init__(self, what: str, total: int, seconds: float) -> None:
        self._what, self._total, self._seconds = what, total, seconds
        self._began = self._told = time.perf_counter()

    def tell(self, done: int) -> None:
        now = time.perf_counter()
        if now - self._told > self._seconds and done < self._total:
            left = (now - self._began) * (self._total - done) / done
            log.info("%s of %s %s, about %.0f s left", f"{done:,}", f"{self._total:,}", self._what, left)
            self._told = now


def _make(sample: Sample, n_modules: int, cache: Path, path: Path, report_seconds: float) -> None:
    began = time.perf_counter()
    log.info("Pythia %s: generating %s modules of %s with %g pile-up, layers %s; takes about 10 s on one core if there "
             "are no collisions in %s yet", pythia_version(), f"{n_modules:,}", sample.process, sample.pile_up,
             ", ".join(map(str, sample.layer_numbers())), cache)
    size = events_per_block("minbias")
    progress = _Progress("collisions for pile-up", sample.pool_size, report_seconds)
    for number in range(-(-sample.pool_size // size)):
        block("minbias", sample.seed, number, cache)
        progress.tell((number + 1) * size)
    tables: list[ModuleTable] = []
    found = 0
    progress = _Progress("modules", n_modules, report_seconds)
    while found < n_modules or len(tables) < _FEWEST_EVENTS:
        table = simulate(sample, len(tables), cache)
        tables.append(table.select(np.flatnonzero(table.calq.any(axis=1))))
        found += len(tables[-1])
        progress.tell(found)
    rows: npt.NDArray[Any] = np.random.default_rng(sample.seed).permutation(found)[:n_modules]
    with open_writer(path) as writer:
        writer.write(ModuleTable.join(tables).select(rows).to_arrow("image"))
    log.info("%d events in %.0f s; cached in %s", len(tables), time.perf_counter() - began, path)
