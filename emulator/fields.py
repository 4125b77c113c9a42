"""What stands where in a frame: the one table from which frames are packed, decoded and drawn.

A layout is a tuple of fields, most significant bit first. A field of `count` elements is that many numbers of `bits`
bits, element 0 first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emulator.codes import CHARGE, FINE_SUM, SUM, FloatCode
from models.arrays import IntArray
from models.chip import COUNTER_BITS, LINK_BITS, MAX_ELINKS, N_OUTPUTS, WORD_BITS, Revision
from models.trigger_cells import N_TRIGGER_CELLS

MAX_WORDS = MAX_ELINKS * LINK_BITS // WORD_BITS
"""Words that the links can carry in one BX, and so the longest frame."""

ADDRESS_BITS = 6
ABSENT = -1
"""In a decoded column: this BX did not send the number."""
MAP_FROM = 8
"""From this many cells on, a map of 48 bits is shorter than a list of addresses, and is sent instead."""


@dataclass(frozen=True)
class Field:
    """Numbers in a frame; `code` says how they encode charge, if they do."""

    name: str
    bits: int
    count: int = 1
    code: FloatCode | None = None

    @property
    def width(self) -> int:
        """Bits of all its numbers."""
        return self.bits * self.count


Layout = tuple[Field, ...]


def n_bits(layout: Layout) -> int:
    """Bits of a frame."""
    return sum(field.width for field in layout)


def n_words(layout: Layout) -> int:
    """16-bit words of a frame, the last one filled up with zeros."""
    return -(-n_bits(layout) // WORD_BITS)


def pack(layout: Layout, values: Mapping[str, IntArray]) -> npt.NDArray[np.uint16]:
    """Frames of one layout as (n, MAX_WORDS) words, zero after the last field.

    values: per field (n,) or (n, count) unsigned integers; a field without values is zero.
    """
    n = len(next(iter(values.values())))
    bits = np.zeros((n, MAX_WORDS * WORD_BITS), dtype=np.uint8)
    start = 0
    for field in layout:
        if field.name in values and field.width:
            value = np.asarray(values[field.name]).reshape(n, field.count)
            shifts = np.arange(field.bits - 1, -1, -1)
            bits[:, start : start + field.width] = (value[:, :, None] >> shifts & 1).reshape(n, field.width)
        start += field.width
    return np.packbits(bits, axis=1).view(">u2").astype(np.uint16)


def unpack(layout: Layout, words: npt.NDArray[np.uint16]) -> dict[str, npt.NDArray[np.int64]]:
    """The inverse of `pack`: (n, at least n_words) words -> per field (n,), or (n, count) if `count` is not 1."""
    bits = np.unpackbits(np.ascontiguousarray(words, dtype=">u2").view(np.uint8), axis=1)
    values = {}
    start = 0
    for field in layout:
        part = bits[:, start : start + field.width].reshape(len(bits), field.count, field.bits)
        value = part.astype(np.int64) @ (1 << np.arange(field.bits - 1, -1, -1, dtype=np.int64))
        values[field.name] = value[:, 0] if field.count == 1 else value
        start += field.width
    return values


COUNTER = Field("bx_counter", COUNTER_BITS)
SHORT_COUNTER = Field("bx_counter", COUNTER_BITS - 1)
TYPE = Field("type", 3)
MODULE_SUM = Field("module_sum", SUM.bits, code=SUM)


def _cells(n_cells: int, counted: bool) -> Layout:
    """Which cells are sent: their addresses or, where that is shorter, a map; then their charges."""
    if n_cells >= MAP_FROM:
        where: Layout = (Field("cell_map", 1, N_TRIGGER_CELLS),)
    else:
        where = ((Field("n_cells", 3),) if counted else ()) + (Field("address", ADDRESS_BITS, n_cells),)
    return (*where, Field("charge", CHARGE.bits, n_cells, CHARGE))


def threshold_sum(n_cells: int) -> Layout:
    """TS with `n_cells` (0..48) cells at or above threshold; with none it ends after the sum."""
    head = (COUNTER, TYPE, MODULE_SUM)
    return head + _cells(n_cells, counted=True) if n_cells else head


def cell_values(sent: npt.NDArray[np.bool_], charge_code: IntArray, revision: Revision) -> dict[str, IntArray]:
    """Values of the fields of `_cells` for frames that all send the same number of cells: (n, 48) and (n, 48)."""
    address = np.nonzero(sent)[1].reshape(len(sent), int(sent[:1].sum()))
    return {
        "cell_map": sent[:, _map_order(revision)].astype(np.int64),
        "n_cells": sent.sum(axis=1),
        "address": address,
        "charge": np.take_along_axis(charge_code, address, axis=1),
    }


def cell_charges(values: Mapping[str, IntArray], revision: Revision) -> npt.NDArray[np.int64]:
    """The inverse of `cell_values`: charge codes by cell, (n, 48), -1 where a cell was not sent."""
    charge = _two_dimensional(values["charge"])
    by_cell = np.full((len(charge), N_TRIGGER_CELLS), ABSENT, dtype=np.int64)
    if "cell_map" in values:
        # A damaged map may name more or fewer cells than there are charges: keep what has both.
        cell_map = values["cell_map"][:, _map_order(revision)]
        rank = np.cumsum(cell_map, axis=1)
        row, cell = np.nonzero((cell_map == 1) & (rank <= charge.shape[1]))
        by_cell[row, cell] = charge[row, rank[row, cell] - 1]
    else:
        address = _two_dimensional(values["address"])
        row, k = np.nonzero(address < N_TRIGGER_CELLS)
        by_cell[row, address[row, k]] = charge[row, k]
    return by_cell


def _map_order(revision: Revision) -> slice:
    """Bits of the map by cell, and cells by bit; charges follow in the order of the cells on both revisions."""
    return slice(None, None, -1 if revision.last_cell_first else 1)


def _two_dimensional(values: IntArray) -> IntArray:
    return values[:, None] if values.ndim == 1 else values


def best_choice(n_cells: int) -> Layout:
    """BC that sends `n_cells` cells."""
    return (SHORT_COUNTER, MODULE_SUM, *_cells(n_cells, counted=False))


def super_trigger_cell(n_groups: int, address_bits: int, code: FloatCode) -> Layout:
    """STC: all addresses, then all sums."""
    addresses = (Field("address", address_bits, n_groups),) if address_bits else ()
    return (SHORT_COUNTER, *addresses, Field("sum", code.bits, n_groups, code))


def repeater() -> Layout:
    """RPT: every charge; fewer than 11 links carry only the beginning."""
    return (COUNTER, Field("charge", CHARGE.bits, N_TRIGGER_CELLS, CHARGE))


def autoencoder(sent_bits: tuple[int, ...], capacity: int) -> Layout:
    """AE: `sent_bits[i]` bits of latent i, latent 15 first, right-aligned in the `capacity` bits behind the sum."""
    latents = tuple(Field(f"latent_{i}", sent_bits[i]) for i in range(N_OUTPUTS - 1, -1, -1))
    head = (COUNTER, Field("module_sum", FINE_SUM.bits, code=FINE_SUM))
    return (*head, Field("unused", capacity - sum(sent_bits)), *latents)


def idle() -> Layout:
    """The word that fills what a short TS frame leaves of a BX."""
    return (COUNTER, Field("sync_word", 11))
