"""Facts of the chip, stated once: revisions, time, links and words, algorithms, the encoder, its frame and its mux.

What a trigger cell is, and how wide its charge, is in `models.trigger_cells`.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Literal

AlgorithmName = Literal["TS", "STC", "BC", "RPT", "AE"]

ORBIT = 3564
"""Bunch crossings in one orbit."""
BX_NS = 25.0
"""Time from one bunch crossing to the next, in nanoseconds."""

MAX_ELINKS = 13
"""eTx links of the chip."""
LINK_BITS = 32
"""Bits that one link carries in one bunch crossing."""
WORD_BITS = 16
"""Bits of the words that frames and the output buffer are made of: two for each link."""
COUNTER_BITS = 5
"""Bits of the bunch-crossing counter at the start of a frame; BC and STC leave one out."""

N_OUTPUTS = 16
"""Outputs of the chip's encoder."""
OUTPUT_BITS = 9
"""Bits of each output; the mask and the links decide how many of them are sent."""
LATENT_BITS = {1: 1, 2: 3, 3: 5, 4: 7, 5: 9}
"""Bits of each output that are sent, by number of links; further links do not carry more."""
AE_HEADER_BITS = COUNTER_BITS + 9
"""Counter and module sum (5E4M) at the start of an autoencoder frame."""
AE_MAX_ELINKS = 5
"""Links that an autoencoder frame can fill; further links stay empty."""

WEIGHT_BITS = 6
"""Bits of each weight and bias in the registers."""
N_WEIGHTS = 2144
"""Weights and biases in the registers."""

ENCODER_MUX = (
    5, 6, 7, 1, 29, 28, 20, 21, 13, 4, 0, 2, 31, 30, 22, 23, 12, 14, 11, 3, 24, 27, 17, 16,
    15, 8, 9, 10, 25, 26, 19, 18, 34, 35, 43, 41, 32, 33, 42, 40, 39, 38, 44, 47, 36, 37, 45, 46,
)  # fmt: skip
"""Mux setting of the published autoencoder vectors: it brings the trigger cells into the order of the image."""

CODES_PER_LINK = 4


class Revision(str, Enum):
    """The first chip and the one that is being installed; whatever differs between them is said here.

    Examples:
        >>> from models import Revision
        >>> [(str(one), one.highest_code_first) for one in Revision]
        [('p1', False), ('production', True)]
    """

    P1 = "p1"
    PRODUCTION = "production"

    @property
    def highest_code_first(self) -> bool:
        """Whether the mux counts the four codes of an input word from the most significant one."""
        return self is Revision.PRODUCTION

    @property
    def last_cell_first(self) -> bool:
        """Whether the 48-bit map of BC and TS begins with cell 47."""
        return self is Revision.PRODUCTION

    def __str__(self) -> str:
        return self.value


def other_mux_number(number: int) -> int:
    """The number that the other revision's mux has for the same input code."""
    return number ^ (CODES_PER_LINK - 1)


class Algorithm(IntEnum):
    """Values of `MFC_ALGORITHM_SEL_DENSITY.algo.select`.

    Examples:
        >>> from models import Algorithm
        >>> [f"{int(one)} {one.short_name}" for one in Algorithm]
        ['0 TS', '1 STC', '2 BC', '3 RPT', '4 AE']
    """

    THRESHOLD_SUM = 0
    SUPER_TRIGGER_CELL = 1
    BEST_CHOICE = 2
    REPEATER = 3
    AUTOENCODER = 4

    @property
    def short_name(self) -> AlgorithmName:
        """The name in reports: TS, STC, BC, RPT or AE."""
        names: tuple[AlgorithmName, ...] = ("TS", "STC", "BC", "RPT", "AE")
        return names[self]
