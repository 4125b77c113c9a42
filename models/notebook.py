"""What notebooks show of results: small HTML tables, and a map of charges on the wafer as inline SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from models.arrays import FloatArray, IntArray
from models.trigger_cells import COORDINATES, N_TRIGGER_CELLS

_WIDTH = 260  # pixels
_DARKEST = "#08519c"  # the largest charge; smaller ones are more transparent, on light and dark pages alike


def html_table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain HTML table; all text is escaped."""
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return (f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>")


def array_rows(arrays: Iterable[tuple[str, IntArray]]) -> list[tuple[str, str, str, str]]:
    """Name, shape, lowest and highest element of each array, as text."""
    return [(name, " x ".join(map(str, array.shape)),
             str(array.min()) if array.size else "", str(array.max()) if array.size else "")
            for name, array in arrays]


def wafer_svg(charge: IntArray | FloatArray) -> str:
    """Charges (48,) in trigger-cell order on the wafer, every cell with its charge as a tooltip."""
    cell = np.arange(N_TRIGGER_CELLS)
    first = 16 * (cell // 16)
    fast, slow = COORDINATES[first + 1] - COORDINATES[first], COORDINATES[first + 4] - COORDINATES[first]
    corners = np.stack([COORDINATES + (a * fast + b * slow) / 2 for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))],
                       axis=1)
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    width, height = high - low
    placed = (corners - (low[0], high[1])) * (1, -1)  # y grows downwards in SVG
    top = max(float(charge.max()), 1.0)
    cells = "".join(
        f'<polygon points="{" ".join(f"{x:.2f},{y:.2f}" for x, y in outline)}" fill="{_DARKEST}" '
        f'fill-opacity="{value / top:.3f}" stroke="gray" stroke-width="0.08">'
        f"<title>TC {number}: {value:g} CALQ</title></polygon>"
        for number, (outline, value) in enumerate(zip(placed, charge.tolist(), strict=True))
    )
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" '
            f'viewBox="-0.1 -0.1 {width + 0.2:.2f} {height + 0.2:.2f}">{cells}</svg>')
