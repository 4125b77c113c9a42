"""The front end: words of the 12 input links to 48 calibrated charges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emulator.codes import CHARGE
from models.arrays import IntArray
from models.chip import CODES_PER_LINK, Revision

N_ERX = 12
CALIBRATION_BITS = 11
"""Fractional bits of a calibration factor: 2048 = 1.0."""


def unpack(erx: IntArray, revision: Revision = Revision.P1) -> npt.NDArray[np.int64]:
    """Charge codes of the input words in the mux's numbering: (n, 12) 32-bit words -> (n, 48), four per link.

    Code 0 of a link is the lowest one on P1, the highest one on the production chip. The 4-bit header above them does
    not reach the data path.
    """
    shifts = CHARGE.bits * np.arange(CODES_PER_LINK)
    if revision.highest_code_first:
        shifts = shifts[::-1]
    codes = np.asarray(erx).astype(np.int64)[:, :, None] >> shifts & ((1 << CHARGE.bits) - 1)
    return codes.reshape(len(codes), N_ERX * CODES_PER_LINK)


def calibrate(code: IntArray, mux_select: IntArray, calibration: IntArray, high_density: bool) -> npt.NDArray[np.int64]:
    """Charges in the order after the mux: codes (n, 48) and the settings of the 48 channels -> CALQ (n, 48), 22 bits.

    A module of high density has 3 dropped bits in its input codes, one of low density 1.
    """
    linear = CHARGE.decode(code[:, mux_select], dropped_bits=3 if high_density else 1)
    return linear * calibration >> CALIBRATION_BITS
