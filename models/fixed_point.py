"""Fixed-point number formats: one value type that quantises arrays and spells itself for every tool.

The text form is the one of the chip's documentation: `U1.7` is unsigned with 1 integer and 7 fractional bits, `S1.5`
is two's complement with 6 bits and LSB 2^-5 (the sign bit counts as an integer bit, as in `ap_fixed`). A rounding
(`floor`, `half_even`) and an overflow (`wrap`, `saturate`) may follow: `U1.8 half_even saturate`. The defaults are
those of `ap_fixed`: floor and wrap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.errors import InputError

Rounding = Literal["floor", "half_even"]
Overflow = Literal["wrap", "saturate"]

_MOST_BITS = 62  # codes are int64: two bits of headroom keep every sum exact
_TEXT = re.compile(r"([US])(-?\d+)\.(-?\d+)((?:\s+\w+)*)\s*")
_AP = {"floor": "AP_TRN", "half_even": "AP_RND_CONV", "wrap": "AP_WRAP", "saturate": "AP_SAT"}
_AC = {"floor": "AC_TRN", "half_even": "AC_RND_CONV", "wrap": "AC_WRAP", "saturate": "AC_SAT"}


@dataclass(frozen=True)
class FixedPoint:
    """A fixed-point format. `integer_bits` counts the sign bit, as in `ap_fixed<width, integer_bits>`.

    Examples:
        >>> from models import FixedPoint
        >>> weight = FixedPoint.parse("S1.5")
        >>> weight.width, weight.min_code, weight.max_code
        (6, -32, 31)
        >>> weight.quantize([0.5, -0.25]).tolist(), weight.value([16, -8]).tolist()
        ([16, -8], [0.5, -0.25])
    """

    width: int
    integer_bits: int
    signed: bool
    rounding: Rounding = "floor"
    overflow: Overflow = "wrap"

    def __post_init__(self) -> None:
        if not 1 <= self.width <= _MOST_BITS:
            raise ValueError(f"width {self.width} of a fixed-point format must be 1..{_MOST_BITS}")
        if self.rounding not in ("floor", "half_even"):
            raise ValueError(f"rounding '{self.rounding}' must be floor or half_even")
        if self.overflow not in ("wrap", "saturate"):
            raise ValueError(f"overflow '{self.overflow}' must be wrap or saturate")

    def __repr__(self) -> str:
        return f"FixedPoint.parse('{self}')"

    @classmethod
    def parse(cls, text: object) -> FixedPoint:
        """Read `U1.7`, `S1.5 half_even saturate`, ... Raises ValueError naming the text."""
        if isinstance(text, FixedPoint):
            return text
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"number format {text!r} must look like 'U1.7' or 'S1.5 half_even saturate'")
        modes: dict[str, Any] = {}
        for word in match[4].split():
            kind = {"floor": "rounding", "half_even": "rounding", "wrap": "overflow", "saturate": "overflow"}.get(word)
            if kind is None or kind in modes:
                raise ValueError(f"number format {text!r}: '{word}' must be one rounding (floor, half_even) "
                                 "and one overflow (wrap, saturate)")
            modes[kind] = word
        integer_bits, fraction_bits = int(match[2]), int(match[3])
        return cls(integer_bits + fraction_bits, integer_bits, match[1] == "S", **modes)

    def __str__(self) -> str:
        return f"{'S' if self.signed else 'U'}{self.integer_bits}.{self.fraction_bits} {self.rounding} {self.overflow}"

    @property
    def fraction_bits(self) -> int:
        """The LSB is 2^-fraction_bits."""
        return self.width - self.integer_bits

    @property
    def lsb(self) -> float:
        """The value of the lowest bit."""
        return 2.0**-self.fraction_bits

    @property
    def min_code(self) -> int:
        """The lowest code."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max_code(self) -> int:
        """The highest code."""
        return (1 << (self.width - self.signed)) - 1

    def requantize(self, code: IntArray, from_fraction_bits: int) -> npt.NDArray[np.int64]:
        """Bring integers with LSB 2^-from_fraction_bits into this format; any shape, int64 codes out.

        Exact for |code| < 2^62 after alignment. Rounding and overflow are those of this format.
        """
        shift = from_fraction_bits - self.fraction_bits
        wide = np.asarray(code).astype(np.int64)
        if shift <= 0:
            wide = wide << -shift
        elif self.rounding == "floor":
            wide = wide >> shift
        else:
            # Half to even: add half an LSB less one, plus one more when the kept part is odd.
            wide = (wide + ((1 << (shift - 1)) - 1) + ((wide >> shift) & 1)) >> shift
        if self.overflow == "saturate":
            return np.clip(wide, self.min_code, self.max_code)
        wrapped = wide & ((1 << self.width) - 1)
        return wrapped - ((wrapped >> (self.width - 1)) << self.width) if self.signed else wrapped

    def quantize(self, value: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Codes of float values under this format's rounding; always saturates, as a float has no bits to wrap."""
        scaled = np.asarray(value, dtype=np.float64) * 2.0**self.fraction_bits
        rounded = np.floor(scaled) if self.rounding == "floor" else np.rint(scaled)
        return np.clip(rounded, self.min_code, self.max_code).astype(np.int64)

    def exact(self, value: npt.ArrayLike, name: str) -> npt.NDArray[np.int64]:
        """Codes of float values that are exactly representable.

        Raises ValueError naming `name`, the index and the value of the first that is not.
        """
        values = np.asarray(value, dtype=np.float64)
        scaled = values * 2.0**self.fraction_bits
        bad = ~((scaled == np.rint(scaled)) & (scaled >= self.min_code) & (scaled <= self.max_code))
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            low, high = self.min_code * self.lsb, self.max_code * self.lsb
            raise ValueError(f"{name}{list(index)} = {float(values[index])!r} is not a number of {self}: "
                             f"expected a multiple of 2^-{self.fraction_bits} in [{low}, {high}]")
        return scaled.astype(np.int64)

    def check_codes(self, name: str, code: IntArray, shape: tuple[int, ...]) -> None:
        """Raise InputError, with the first bad index, unless these are codes of this format in this shape."""
        if code.shape != shape:
            raise InputError(f"{name} has shape {code.shape}, expected {shape}")
        if code.dtype.kind not in "iu":
            raise InputError(f"{name} has type {code.dtype}, expected integer codes of {self}")
        bad = (code < self.min_code) | (code > self.max_code)
        if bad.any():
            index = [int(i) for i in np.argwhere(bad)[0]]
            raise InputError(f"{name}{index} = {code[tuple(index)]}, expected a code of {self}: "
                             f"{self.min_code}..{self.max_code}")

    def value(self, code: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The real numbers that codes stand for (exact: a double holds 53 bits)."""
        return np.asarray(code, dtype=np.float64) * self.lsb

    def as_ap(self) -> str:
        """The AMD/Vitis C++ type, `ap_fixed<...>` or `ap_ufixed<...>`."""
        kind = "ap_fixed" if self.signed else "ap_ufixed"
        return f"{kind}<{self.width}, {self.integer_bits}, {_AP[self.rounding]}, {_AP[self.overflow]}>"

    def as_ac(self) -> str:
        """The Catapult C++ type, `ac_fixed<...>`."""
        return (f"ac_fixed<{self.width}, {self.integer_bits}, {str(self.signed).lower()}, "
                f"{_AC[self.rounding]}, {_AC[self.overflow]}>")

    def as_hls4ml(self) -> str:
        """The precision string of an hls4ml configuration."""
        kind = "fixed" if self.signed else "ufixed"
        return (f"{kind}<{self.width},{self.integer_bits},{_AP[self.rounding].removeprefix('AP_')},"
                f"{_AP[self.overflow].removeprefix('AP_')},0>")

    def as_qkeras(self) -> str:
        """The QKeras quantiser with the same values; QKeras rounds half to even, saturates, leaves out the sign bit."""
        if self.signed:
            return f"quantized_bits({self.width}, {self.integer_bits - 1}, keep_negative=1, alpha=1)"
        return f"quantized_relu({self.width}, {self.integer_bits})"
