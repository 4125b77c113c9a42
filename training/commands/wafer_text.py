"""Charges on the wafer as text: every trigger cell at its place, with its number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray
from models.trigger_cells import COORDINATES, N_TRIGGER_CELLS, PITCH

_GAP = "  "


def wafer_text(values: Sequence[float] | FloatArray, width: int, *, signed: bool = False) -> list[str]:
    """Lines with the 48 values in trigger-cell order, rounded, each in less than `width` letters; `.` is exactly 0.

    A column of the text is a column of cells; neighbours in it are half a line out of step on the wafer.
    """
    column = np.rint((COORDINATES[:, 0] - COORDINATES[:, 0].min()) / (PITCH * np.sqrt(3) / 2)).astype(int)
    line = np.rint((COORDINATES[:, 1].max() - COORDINATES[:, 1]) / (PITCH / 2)).astype(int)
    cells = [[" " * width] * (int(column.max()) + 1) for _ in range(int(line.max()) + 1)]
    for k in range(N_TRIGGER_CELLS):
        value = float(values[k])
        cells[line[k]][column[k]] = ("." if value == 0 else f"{value:+.0f}" if signed else f"{value:.0f}").rjust(width)
    return ["".join(row)[1:].rstrip() for row in cells]  # the first letter only separates columns


def wafers_text(maps: Sequence[tuple[str, Sequence[float] | FloatArray, bool]], width: int) -> str:
    """Titled maps (title, values, signed) side by side, as many in a row as `width` letters hold."""
    digits = max(len(f"{value:+.0f}") for _, values, _ in maps for value in values)
    cell = max(digits + 1, 4)
    blocks = [(title, wafer_text(values, cell, signed=signed)) for title, values, signed in maps]
    size = max(len(line) for _, lines in blocks for line in lines)
    size = max(size, *(len(title) for title, _ in blocks))
    per_row = max((min(width, 160) + len(_GAP)) // (size + len(_GAP)), 1)
    text = []
    for first in range(0, len(blocks), per_row):
        row = blocks[first : first + per_row]
        lines = [[title, *block] for title, block in row]
        text += [_GAP.join(part.ljust(size) for part in parts).rstrip() for parts in zip(*lines, strict=True)]
        text.append("")
    return "\n".join(text)
