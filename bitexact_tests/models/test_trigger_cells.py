"""The derived geometry against the published tables (ECON-T user documentation; super cells of the telescope loss)."""

from __future__ import annotations

import numpy as np

from models.trigger_cells import (
    COORDINATES,
    IMAGE_TO_TC,
    PITCH,
    ROTATION,
    SUPER_CELLS,
    channel_to_pixel,
    distance_matrix,
    image_order,
    super_cell_weights,
)

PUBLISHED_IMAGE = """
28 29 30 31 0 4 8 12
24 25 26 27 1 5 9 13
20 21 22 23 2 6 10 14
16 17 18 19 3 7 11 15
47 43 39 35 - - - -
46 42 38 34 - - - -
45 41 37 33 - - - -
44 40 36 32 - - - -
"""

PUBLISHED_CENTRES = {
    0: (0, 0), 3: (0, -7.2504044), 5: (2.09301, -3.6251984), 15: (6.27903, -10.875603), 16: (-8.37204, -10.271393),
    20: (-8.37204, -7.854599), 23: (-2.0930138, -4.229393), 31: (-2.0930138, 0.6042023), 32: (4.7092705, -12.386101),
    39: (-3.6627693, -9.969299), 44: (-1.5697594, -16.0113), 47: (-7.848793, -12.386101),
}

PUBLISHED_SUPER_CELLS = """
0 1 4 5 | 2 3 6 7 | 8 9 12 13 | 10 11 14 15 | 16 17 20 21 | 18 19 22 23 | 24 25 28 29 | 26 27 30 31 | 32 33 36 37
34 35 38 39 | 40 41 44 45 | 42 43 46 47 | 4 5 8 9 | 6 7 10 11 | 20 21 24 25 | 22 23 26 27 | 36 37 40 41 | 38 39 42 43
1 2 5 6 | 9 10 13 14 | 17 18 21 22 | 25 26 29 30 | 33 34 37 38 | 41 42 45 46 | 5 6 9 10 | 21 22 25 26 | 37 38 41 42
0 1 27 31 | 1 2 23 27 | 2 3 19 23 | 3 7 34 35 | 7 11 33 34 | 11 15 32 33 | 16 17 47 43 | 17 18 43 39 | 18 19 39 35
"""
PUBLISHED_WEIGHTS = """
1.5 1.333 2.25 1.5 1.5 1.333 2.25 1.5 1.5 1.333 2.25 1.5 1.5 1 1.5 1 1.5 1 1 1.5 1 1.5 1 1.5 1 1 1
1.5 1 1.667 1.667 1 1.5 1.5 1 1.667
"""


def test_image_table() -> None:
    published = np.array([-1 if word == "-" else int(word) for word in PUBLISHED_IMAGE.split()]).reshape(8, 8)
    np.testing.assert_array_equal(IMAGE_TO_TC, published)


def test_centres() -> None:
    for cell, centre in PUBLISHED_CENTRES.items():
        np.testing.assert_allclose(COORDINATES[cell], centre, atol=2e-5)  # the published digits are rounded


def test_rotation_is_an_exact_symmetry() -> None:
    np.testing.assert_allclose(distance_matrix(), distance_matrix()[np.ix_(ROTATION, ROTATION)], atol=1e-12)
    np.testing.assert_array_equal(ROTATION[ROTATION[ROTATION]], np.arange(48))


def test_neighbours_are_one_pitch_apart() -> None:
    np.testing.assert_allclose(np.hypot(*(COORDINATES[0] - COORDINATES[1])), PITCH)
    np.testing.assert_allclose(distance_matrix()[0, 1], 2)


def test_super_cells_and_weights() -> None:
    groups = [tuple(sorted(map(int, group.split()))) for line in PUBLISHED_SUPER_CELLS.strip().splitlines()
              for group in line.split("|")]
    published = dict(zip(groups, map(float, PUBLISHED_WEIGHTS.split()), strict=True))
    derived = {tuple(sorted(map(int, group))): weight / 0.25
               for group, weight in zip(SUPER_CELLS, super_cell_weights(), strict=True)}
    assert derived.keys() == published.keys()
    for group, weight in published.items():
        np.testing.assert_allclose(derived[group], weight, atol=1e-3, err_msg=str(group))


def test_channels_cover_cells_and_pixels_once() -> None:
    np.testing.assert_array_equal(np.sort(image_order()), np.arange(48))
    np.testing.assert_array_equal(IMAGE_TO_TC.ravel()[channel_to_pixel()], image_order())
