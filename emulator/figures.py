"""Frame formats drawn as bit fields, from the table that packs and decodes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from emulator import fields
from emulator.algorithms.autoencoder import capacity
from emulator.algorithms.best_choice import CELLS_SENT
from emulator.algorithms.super_trigger_cell import TYPES
from emulator.algorithms.threshold_frames import (
    TYPE_ADDRESSES,
    TYPE_EMPTY,
    TYPE_MAP,
    TYPE_TRUNCATED,
    TYPE_TRUNCATED_SHORT,
)
from emulator.fields import Field, Layout
from models.chip import LATENT_BITS, LINK_BITS, N_OUTPUTS, OUTPUT_BITS

_BIT_WIDTH, _ROW_HEIGHT, _ROW_STEP, _LEFT, _TOP = 26, 30, 34, 76, 44
_COLORS = {
    "bx_counter": "#f6d6ad", "type": "#f3b7b0", "module_sum": "#cfe3c0", "n_cells": "#f3b7b0", "sync_word": "#dddddd",
    "cell_map": "#d9cdea", "address": "#d9cdea", "charge": "#bcd8ee", "sum": "#bcd8ee", "latent": "#bcd8ee",
}  # fmt: skip
_SMALLEST_FONT = 6
_UNUSED_COLOR = "#f4f4f4"


@dataclass(frozen=True)
class Figure:
    """One frame to draw; `unit` is the padding of the frame in bits."""

    name: str
    title: str
    layout: Layout


def figures() -> Iterator[Figure]:
    """The frame formats of the documentation, each in one typical setting."""
    yield Figure("ts_addresses", f"TS, type {TYPE_ADDRESSES:03b}: 3 cells sent (of 1 to 7)", fields.threshold_sum(3))
    yield Figure("ts_map", f"TS, type {TYPE_MAP:03b}: 8 cells sent (of 8 to 48)", fields.threshold_sum(8))
    yield Figure("ts_short", f"TS, types {TYPE_EMPTY:03b} (no cell), {TYPE_TRUNCATED:03b} (cut by T1) and "
                 f"{TYPE_TRUNCATED_SHORT:03b} (cut by T2 and T3)", fields.threshold_sum(0))
    yield Figure("ts_idle", "TS: idle word", fields.idle())
    for n_elinks in (3, 5):
        cells = CELLS_SENT[n_elinks - 1]
        yield Figure(f"bc_{n_elinks}_links", f"BC on {n_elinks} links: {cells} cells", fields.best_choice(cells))
    for number, kind in enumerate(TYPES):
        n_groups = kind.groups_sent[1]
        layout = fields.super_trigger_cell(n_groups, kind.address_bits, kind.code)
        yield Figure(f"stc_type{number}", f"STC type {number} ({kind.name}) on 2 links: {n_groups} groups", layout)
    yield Figure("rpt", "RPT on 11 or more links", fields.repeater())
    top_bits = "AE on 2 links, mask of the top 3 bits of each latent"
    yield Figure("ae_2_links", top_bits, fields.autoencoder((LATENT_BITS[2],) * N_OUTPUTS, capacity(2)))
    whole = fields.autoencoder((OUTPUT_BITS,) * N_OUTPUTS, capacity(5))
    yield Figure("ae_5_links", "AE on 5 links, all bits of each latent", whole)


def svg(figure: Figure) -> str:
    """A picture of a frame: one row per link, its most significant bit at the left."""
    n_rows = -(-fields.n_bits(figure.layout) // LINK_BITS)
    width = _LEFT + LINK_BITS * _BIT_WIDTH + 8
    height = _TOP + n_rows * _ROW_STEP + 4
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f"<title>{escape(figure.title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="4" y="16" font-size="14" font-weight="bold">{escape(figure.title)}</text>',
    ]
    for bit in range(LINK_BITS):
        x = _LEFT + (LINK_BITS - bit - 0.5) * _BIT_WIDTH
        lines.append(f'<text x="{x:g}" y="{_TOP - 6}" font-size="9" text-anchor="middle" fill="#555555">{bit}</text>')
    for row in range(n_rows):
        y = _TOP + row * _ROW_STEP + _ROW_HEIGHT / 2 + 4
        lines.append(f'<text x="4" y="{y:g}" font-size="11">TX_DATA_{row}</text>')
    for label, color, start, bits in _elements(figure.layout):
        lines += _boxes(label, color, start, bits)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _elements(layout: Layout) -> Iterator[tuple[str, str, int, int]]:
    """Every number of a frame: (label, color, first bit, bits), then the zeros after it."""
    start = 0
    for field in layout:
        kind = "latent" if field.name.startswith("latent") else field.name
        for label, bits in _labels(field):
            yield label, _COLORS.get(kind, _UNUSED_COLOR), start, bits
            start += bits
    if start % LINK_BITS:
        yield "0", _UNUSED_COLOR, start, LINK_BITS - start % LINK_BITS


def _labels(field: Field) -> Iterator[tuple[str, int]]:
    if field.bits == 1 and field.count > 1:  # a map is one thing, not 48 boxes
        yield f"{field.name} 0..{field.count - 1}", field.width
    elif field.width:
        for i in range(field.count):
            yield (field.name.replace("unused", "0") if field.count == 1 else f"{field.name}_{i}"), field.bits


def _boxes(label: str, color: str, start: int, bits: int) -> Iterator[str]:
    """The box of one number, in as many pieces as it touches links; a label where it fits, else a tooltip alone."""
    end = start + bits
    while start < end:
        row, column = divmod(start, LINK_BITS)
        piece = min(end - start, LINK_BITS - column)
        x, y, width = _LEFT + column * _BIT_WIDTH, _TOP + row * _ROW_STEP, piece * _BIT_WIDTH
        size = min(11.0, 1.6 * width / max(len(label), 1))
        yield f"<g><title>{escape(label)}: {bits} bits</title>"
        yield f'<rect x="{x}" y="{y}" width="{width}" height="{_ROW_HEIGHT}" fill="{color}" stroke="#444444"/>'
        if size >= _SMALLEST_FONT:
            yield (f'<text x="{x + width / 2:g}" y="{y + _ROW_HEIGHT / 2 + 4:g}" font-size="{size:.1f}" '
                   f'text-anchor="middle">{escape(label)}</text>')
        yield "</g>"
        start += piece
