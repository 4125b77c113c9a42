"""Facts of the chip that everything else takes from here: link counts, algorithms, the encoder's size and mux."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

AlgorithmName = Literal["TS", "STC", "BC", "RPT", "AE"]

MAX_ELINKS = 13

WEIGHT_BITS = 6

N_WEIGHTS = 2144

ENCODER_MUX = (
    5, 6, 7, 1, 29, 28, 20, 21, 13, 4, 0, 2, 31, 30, 22, 23, 12, 14, 11, 3, 24, 27, 17, 16,
    15, 8, 9, 10, 25, 26, 19, 18, 34, 35, 43, 41, 32, 33, 42, 40, 39, 38, 44, 47, 36, 37, 45, 46,
)  # fmt: skip
"""Mux setting of the published autoencoder vectors: it brings the trigger cells into the order of the image."""


class Algorithm(IntEnum):
    """Values of `MFC_ALGORITHM_SEL_DENSITY.algo.select`."""

    THRESHOLD_SUM = 0
    SUPER_TRIGGER_CELL = 1
    BEST_CHOICE = 2
    REPEATER = 3
    AUTOENCODER = 4

    @property
    def short_name(self) -> AlgorithmName:
        names: tuple[AlgorithmName, ...] = ("TS", "STC", "BC", "RPT", "AE")
        return names[self]
