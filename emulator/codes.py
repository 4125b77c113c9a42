"""The chip's floating codes `nEmM`: an unsigned integer as exponent and mantissa, the leading one left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray


def bit_length(value: IntArray) -> npt.NDArray[np.int64]:
    """Bits of each unsigned value below 2^53; 0 for 0."""
    # frexp is exact up to the 53 bits of a double, and its exponent is the bit length.
    return np.frexp(np.asarray(value).astype(np.float64))[1].astype(np.int64)


@dataclass(frozen=True)
class FloatCode:
    """A code of `exponent_bits` and `mantissa_bits`, exponent in the high bits."""

    exponent_bits: int
    mantissa_bits: int

    def __str__(self) -> str:
        return f"{self.exponent_bits}E{self.mantissa_bits}M"

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return self.exponent_bits + self.mantissa_bits

    def encode(self, value: IntArray, dropped_bits: int = 0) -> npt.NDArray[np.int64]:
        """Codes of unsigned integers of any shape, below 2^53, after a shift by `dropped_bits`.

        Values with more bits than the mantissa are truncated to the bits after their leading one; what is too large for
        the exponent becomes all ones.
        """
        kept = np.asarray(value).astype(np.int64) >> dropped_bits
        exponent = np.maximum(bit_length(kept) - self.mantissa_bits, 0)
        fraction = kept >> np.maximum(exponent - 1, 0)
        # Above exponent 0 the fraction carries its leading one, which adds 1 to the exponent field: take it off again.
        code = np.where(exponent > 0, ((exponent - 1) << self.mantissa_bits) + fraction, kept)
        return np.minimum(code, (1 << self.bits) - 1)

    def decode(self, code: IntArray, dropped_bits: int = 0) -> npt.NDArray[np.int64]:
        """The middle of the range of values that share a code: the front end's conversion to a linear charge.

        With one-value ranges (small codes, no dropped bits) this is the value itself.
        """
        code = np.asarray(code).astype(np.int64)
        step_bits = np.maximum((code >> self.mantissa_bits) - 1, 0) + dropped_bits
        middle: npt.NDArray[np.int64] = self.lowest(code, dropped_bits) + ((1 << step_bits) >> 1)
        return middle

    def lowest(self, code: IntArray, dropped_bits: int = 0) -> npt.NDArray[np.int64]:
        """The smallest value that has this code."""
        code = np.asarray(code).astype(np.int64)
        exponent, mantissa = code >> self.mantissa_bits, code & ((1 << self.mantissa_bits) - 1)
        leading_one = np.where(exponent > 0, 1 << self.mantissa_bits, 0)
        low: npt.NDArray[np.int64] = (mantissa + leading_one) << np.maximum(exponent - 1, 0) + dropped_bits
        return low

    def estimate(self, code: IntArray, dropped_bits: int = 0) -> npt.NDArray[np.int64]:
        """What a receiver takes a code for: the middle of its range, and nothing for code 0.

        Negative numbers, which are not codes, stay as they are.
        """
        return np.where(np.asarray(code) <= 0, code, self.decode(code, dropped_bits))


CHARGE = FloatCode(4, 3)
"""A transmitted charge, and the codes that arrive from the readout chips."""

SUM = FloatCode(5, 3)
"""Module sums of TS and BC."""

FINE_SUM = FloatCode(5, 4)
"""Module sum of AE, group sums of STC types 0 and 1; no bits dropped."""
