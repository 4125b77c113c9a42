"""Where the 48 trigger cells are: on the wafer, in the encoder's image, and in the groups that the losses use.

A module is a hexagon of three rhombi of 4x4 trigger cells (TC 0..15, 16..31, 32..47). Everything here derives from
that; `bitexact_tests/models/test_trigger_cells.py` holds it against the published tables once.
"""

from __future__ import annotations

import numpy as np

from models.arrays import IntArray

N_TRIGGER_CELLS = 48
IMAGE_SIZE = 8
CALQ_BITS = 22
"""Width of a charge, and of the module-sum register."""
CALQ_PER_MIPT = 35
"""35 CALQ are one transverse MIP."""

PITCH = 2.4168015
"""Distance of neighbouring trigger cells; the sensor-cell pitch, the unit of the EMD, is half of it."""

_SIDE = 4
_INDEX = np.arange(_SIDE * _SIDE)
_SLOW, _FAST = _INDEX // _SIDE, _INDEX % _SIDE
_NO_CELL = -1
_GROUPS_AT_CENTRE = 3  # super cells that hold a cell at the three-way centre of the module; others are in 1, 2 or 4


def _coordinates() -> np.ndarray:
    # Columns are sqrt(3)/2 pitches apart and half a cell out of step; the offsets make each rhombus the image of the
    # one before it under a third of a turn about the common centre.
    columns = np.concatenate([_SLOW, _FAST - 4, 2.25 - _FAST - _SLOW])
    rows = np.concatenate([-(_FAST + _SLOW / 2), -4.25 + _FAST / 2 + _SLOW, -5.125 + (_FAST - _SLOW) / 2])
    return np.stack([columns * np.sqrt(3) / 2, rows], axis=1) * PITCH


def _image_to_trigger_cell() -> np.ndarray:
    # Each rhombus is one 4x4 corner of the image, turned so that neighbours on the wafer are neighbours in the image.
    image = np.full((IMAGE_SIZE, IMAGE_SIZE), _NO_CELL)
    square = _INDEX.reshape(_SIDE, _SIDE)
    image[:4, 4:] = square.T
    image[:4, :4] = 16 + square[::-1]
    image[4:, :4] = 32 + square.T[::-1, ::-1]
    return image


def _super_cells() -> np.ndarray:
    """The 36 overlapping 2x2 groups, (36, 4): nine in each rhombus, three across each edge between two rhombi."""
    groups = []
    for first in (0, 16, 32):
        square = first + _INDEX.reshape(_SIDE, _SIDE)
        groups += [square[r : r + 2, c : c + 2].ravel() for r in range(3) for c in range(3)]
    sides = [
        (np.arange(0, 4), np.arange(31, 18, -4)),
        (np.arange(3, 16, 4), np.arange(35, 31, -1)),
        (np.arange(16, 20), np.arange(47, 34, -4)),
    ]
    for left, right in sides:
        groups += [np.concatenate([left[i : i + 2], right[i : i + 2]]) for i in range(3)]
    return np.array(groups)


COORDINATES = _coordinates()
"""Centres of the trigger cells, (48, 2) in the unit of the published map."""

IMAGE_TO_TC = _image_to_trigger_cell()
"""Trigger cell at each image cell, (8, 8); -1 where the image has no cell."""

SUPER_CELLS = _super_cells()
"""The 36 overlapping 2x2 super cells, (36, 4) trigger cells."""

ROTATION = np.roll(np.arange(N_TRIGGER_CELLS), -(_SIDE * _SIDE))
"""The exact 3-fold symmetry of the module: `calq[:, ROTATION]` is the module turned by a third of a turn."""


def super_cell_weights() -> np.ndarray:
    """Published weights of the 36 super cells in the telescope loss, (36,).

    A quarter of the sum over the four cells of 1 / (number of groups that hold the cell). At the three-way centre of
    the module, where a cell is in three groups, the published table adds the whole 1/3 - 1/4 instead of a quarter of
    it; this is kept, so that losses compare with published ones.
    """
    groups_per_cell = np.bincount(SUPER_CELLS.ravel(), minlength=N_TRIGGER_CELLS)[SUPER_CELLS]
    rule: np.ndarray = (1 / groups_per_cell).sum(axis=1) / 4
    rule += (groups_per_cell == _GROUPS_AT_CENTRE).sum(axis=1) * (1 / 3 - 1 / 4) * 3 / 4
    return rule


def image_order() -> np.ndarray:
    """Trigger cell of each encoder channel, (48,).

    `calq_tc[:, image_order()]` has charges in the order after the chip's mux.
    """
    upper, lower = IMAGE_TO_TC[:4].ravel(), IMAGE_TO_TC[4:, :4].ravel()
    return np.concatenate([upper, lower])


def channel_to_pixel() -> np.ndarray:
    """Flat 8x8 image cell of each of the 48 encoder channels, (48,); the other 16 cells are zero."""
    upper = np.arange(_SIDE * IMAGE_SIZE)
    lower = np.arange(N_TRIGGER_CELLS - len(upper))
    return np.concatenate([upper, (_SIDE + lower // _SIDE) * IMAGE_SIZE + lower % _SIDE])


def distance_matrix() -> np.ndarray:
    """Distances between trigger-cell centres in sensor-cell pitches, (48, 48): the ground distance of the EMD."""
    separation = COORDINATES[:, None] - COORDINATES[None]
    distance: np.ndarray = np.hypot(separation[..., 0], separation[..., 1]) / (PITCH / 2)
    return distance


def to_trigger_cells(calq: IntArray) -> IntArray:
    """Columns in image order -> trigger-cell order."""
    return np.take(calq, np.argsort(image_order()), axis=1)  # rows stay contiguous, unlike with calq[:, ...]


def to_image_order(calq: IntArray) -> IntArray:
    """Columns in trigger-cell order -> image order."""
    return np.take(calq, image_order(), axis=1)
