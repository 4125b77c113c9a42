"""Modules per second of the production: an ntuple's branches to charges, file steps, simulated events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.production import transform
from training.production.calorimeter import Sample, simulate
from training.production.default_set import CACHE
from training.production.geometry import cell_from_uv, modules
from training.production.modules import COLUMNS, ModuleTable
from training.production.ntuple import assemble, find_branches
from training.production.stream import open_writer

N_EVENTS = 2
_U, _V = (axis.ravel() for axis in np.meshgrid(np.arange(8), np.arange(8), indexing="ij"))
_CELL = cell_from_uv(_U, _V)
_UV = np.stack([_U, _V])[:, _CELL >= 0][:, np.argsort(_CELL[_CELL >= 0])].astype(np.int32)


def branches(n_events: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """All trigger cells of all modules of both endcaps, as an ntuple without threshold has them."""
    rng = np.random.default_rng(1)
    n = len(modules().layer)
    one = {"tc_zside": np.repeat([-1, 1], n * 48)}
    for name, values in (("tc_layer", modules().layer), ("tc_waferu", modules().u), ("tc_waferv", modules().v)):
        one[name] = np.tile(np.repeat(values, 48), 2)
    one |= {"tc_cellu": np.tile(_UV[0], 2 * n), "tc_cellv": np.tile(_UV[1], 2 * n)}
    columns = {name: np.tile(column, n_events).astype(np.int32) for name, column in one.items()}
    total = n_events * 2 * n * 48
    columns["tc_uncompressedCharge"] = rng.poisson(rng.exponential(30, total)).astype(np.uint32)
    columns["tc_simenergy"] = rng.exponential(1, total).astype(np.float32)
    columns["tc_eta"] = np.tile(modules().eta.ravel(), 2 * n_events).astype(np.float32)
    return columns, np.full(n_events, 2 * n * 48)


@pytest.mark.parametrize("with_eta", [True, False], ids=["calibration from tc_eta", "calibration from geometry"])
def test_ntuple_to_calq(benchmark: Any, with_eta: bool) -> None:
    columns, counts = branches(N_EVENTS)
    if not with_eta:
        del columns["tc_eta"]
    chosen = find_branches("bench", list(columns))
    benchmark.group = "ntuple"
    table = benchmark.pedantic(assemble, (columns, counts, chosen, "bench"), rounds=7, warmup_rounds=1)
    assert isinstance(table, ModuleTable)
    if benchmark.stats:
        benchmark.extra_info["events_per_s"] = len(table) / benchmark.stats.stats.median


@pytest.mark.parametrize("step", ["split", "skim", "shuffle", "double"])
def test_files(benchmark: Any, tmp_path: Path, step: str) -> None:
    table = _table()
    path = tmp_path / "in.parquet"
    with open_writer(path) as writer:
        writer.write(table.to_arrow())
    steps = {
        "split": lambda: transform.split(path, tmp_path / "split", "calq.parquet", None),
        "skim": lambda: transform.skim(path, tmp_path / "skim.parquet", True, 0.0, 1, None),
        "shuffle": lambda: transform.shuffle([path], tmp_path / "shuffle.parquet", 1),
        "double": lambda: transform.double(path, tmp_path / "double.parquet", 1),
    }
    benchmark.group = "files"
    benchmark.pedantic(steps[step], rounds=3, warmup_rounds=1)
    if benchmark.stats:
        benchmark.extra_info["events_per_s"] = len(table) / benchmark.stats.stats.median


def _table() -> ModuleTable:
    columns, counts = branches(N_EVENTS)
    table = assemble(columns, counts, find_branches("bench", list(columns)), "bench")
    assert isinstance(table.info, pd.DataFrame) and tuple(table.info) == COLUMNS
    return table


@pytest.mark.parametrize("layers", [(9,), None], ids=["layer 9", "all layers"])
def test_simulated_event(benchmark: Any, layers: tuple[int, ...] | None) -> None:
    pytest.importorskip("pythia8mc")
    sample = Sample(layers=layers)
    simulate(sample, 0, CACHE)  # collisions, once
    benchmark.group = f"simulation, {'layer 9' if layers else 'all layers'}"
    table = benchmark.pedantic(simulate, (sample, 1, CACHE), rounds=5)
    if benchmark.stats:
        benchmark.extra_info["events_per_s"] = len(table) / benchmark.stats.stats.median
