"""Layers, modules and trigger cells of the endcaps against published tables and a brute-force search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from models.trigger_cells import COORDINATES
from training.production import geometry
from training.production.allocation import ModuleLinks

OFFSETS = COORDINATES - COORDINATES.mean(axis=0)


def test_cell_at_its_own_centre() -> None:
    assert_array_equal(geometry.trigger_cell_at(OFFSETS), np.arange(48))


def test_cells_share_the_module_equally() -> None:
    position = np.random.default_rng(1).uniform(-150, 150, (200_000, 2))
    u, v = geometry.module_at(position)
    cell = geometry.trigger_cell_at(position - geometry.module_centre(u, v))
    share = np.bincount(cell, minlength=48) * 48 / len(cell)
    assert share == pytest.approx(np.ones(48), abs=0.08)


def test_module_is_the_nearest_one() -> None:
    position = np.random.default_rng(2).uniform(-60, 60, (2000, 2))
    grid = np.arange(-8, 9)
    u, v = (axis.ravel() for axis in np.meshgrid(grid, grid))
    distance = np.hypot(*np.moveaxis(position[:, None] - geometry.module_centre(u, v)[None], -1, 0))
    nearest = distance.argmin(axis=1)
    found_u, found_v = geometry.module_at(position)
    assert_array_equal(found_u, u[nearest])
    assert_array_equal(found_v, v[nearest])


def test_layers_reach_the_published_depth() -> None:
    layers = geometry.layers()
    assert len(layers.z) == 50
    assert (np.diff(layers.z) > 0).all()
    assert layers.radiation_lengths[:28].sum() == pytest.approx(25.2)
    assert 8 < layers.interaction_lengths.sum() < 10
    assert_array_equal(geometry.trigger_layers()[:15], [*range(1, 29, 2), 29])


def test_cells_inside_are_within_the_acceptance() -> None:
    modules = geometry.modules()
    assert_array_equal(modules.partial, ~modules.inside.all(axis=1))
    eta = modules.eta[modules.inside]
    assert eta.min() >= 1.5 - 1e-9 and eta.max() <= 3.0 + 1e-9
    assert modules.eta[modules.high_density].mean() > modules.eta[~modules.high_density].mean()


def test_modules_are_those_of_the_published_list(shared_data: Path) -> None:
    """Most of our modules are in the list and most of the list is ours: the edges are a model."""
    links = ModuleLinks.read(shared_data / "ModuleLinkSummary.csv")
    modules = geometry.modules()
    ours = set(zip(modules.layer.tolist(), modules.u.tolist(), modules.v.tolist(), strict=True))
    published = set(links.links.index)
    assert len(ours & published) > 0.94 * len(ours)
    assert len(ours & published) > 0.94 * len(published)


def test_cell_coordinates_are_those_of_the_published_map(shared_data: Path) -> None:
    table = pd.read_csv(shared_data / "LDM_TC_Mapping.csv")
    assert_array_equal(geometry.cell_from_uv(table.TC_U.to_numpy(), table.TC_V.to_numpy()), table.TC_Number)


def test_coordinates_without_cell() -> None:
    u, v = (axis.ravel() for axis in np.meshgrid(np.arange(-2, 10), np.arange(-2, 10)))
    cell = geometry.cell_from_uv(u, v)
    assert_array_equal(np.sort(cell[cell >= 0]), np.arange(48))
    assert (cell[(u < 0) | (v < 0) | (u > 7) | (v > 7)] == -1).all()
