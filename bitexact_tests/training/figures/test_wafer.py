"""The wafer of a figure."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from models.trigger_cells import PITCH


def test_trigger_cells_tile_the_wafer() -> None:
    wafer = pytest.importorskip("training.figures.wafer")
    cells = wafer.sensor_cells().reshape(-1, 2)
    distance = np.hypot(*(cells[:, None] - cells[None]).transpose(2, 0, 1)) / (PITCH / 2)
    np.testing.assert_allclose(distance[~np.eye(192, dtype=bool)].min(), 1.0, atol=1e-5)
    outlines = wafer.outlines()
    assert [len(outline) for outline in outlines] == [14] * 48, "a 2x2 rhombus of hexagons has 14 corners"
    area = [0.5 * abs(np.dot(o[:, 0], np.roll(o[:, 1], 1)) - np.dot(o[:, 1], np.roll(o[:, 0], 1))) for o in outlines]
    np.testing.assert_allclose(area, 4 * math.sqrt(3) / 2 * (PITCH / 2) ** 2, rtol=2e-3)
    # No gap: every edge is shared by two trigger cells or lies on the rim, and the rim is one closed line of 2 x 3 x 16
    # edges less at the corners, so that what is inside has no hole.
    corners = Counter(tuple(np.round(corner, 2)) for outline in outlines for corner in outline)
    edges = Counter(frozenset(map(tuple, np.round([a, b], 2).tolist()))
                    for o in outlines for a, b in zip(o, np.roll(o, -1, axis=0), strict=True))
    assert set(edges.values()) == {1, 2}
    rim = [edge for edge, times in edges.items() if times == 1]
    degree = Counter(corner for edge in rim for corner in edge)
    assert set(degree.values()) == {2}
    n_regions = 2 - len(corners) + len(edges)  # Euler: faces, the outside among them
    assert n_regions == 48 + 1, "48 trigger cells and nothing between them"
