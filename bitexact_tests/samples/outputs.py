"""Outputs that pages and notebooks show, against what is printed."""

from __future__ import annotations

import doctest
import re

TIME = re.compile(r"\b\d+(\.\d+)? (s|min)\b")
_DECIMAL = r"-?\d+\.\d+"
_PRINTED = r"(-?\d+(?:\.\d+)?)"  # "%.4g" of 2.0 is 2
_PIECE = re.compile(rf"(?P<decimal>{_DECIMAL})|(?P<left_out>\.\.\.)|(?P<space>\s+)|(?P<text>.)", re.DOTALL)
_AS_WRITTEN = {"decimal": _PRINTED, "left_out": ".*?", "space": r"\s+"}


def same_output(told: str, printed: str) -> bool:
    """Whether `told` is what is printed, but for times and what it leaves out (`...`)."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(TIME.sub("TIME", told), TIME.sub("TIME", printed), flags)


def same_but_for_decimals(told: str, printed: str) -> bool:
    """The same, except that a number with decimals may differ: a training rounds differently on another CPU.

    By less than 10% or 0.05, which another seed of the tutorial's training stays below. Words and integers are equal.
    """
    pattern = "".join(_AS_WRITTEN.get(str(piece.lastgroup), re.escape(piece[0]))
                      for piece in _PIECE.finditer(TIME.sub("TIME", told).strip()))
    found = re.fullmatch(pattern, TIME.sub("TIME", printed).strip(), re.DOTALL)
    if found is None:
        return False
    pairs = zip(re.findall(_DECIMAL, TIME.sub("TIME", told)), found.groups(), strict=True)
    return all(abs(float(a) - float(b)) < max(0.1 * abs(float(a)), 0.05) for a, b in pairs)
