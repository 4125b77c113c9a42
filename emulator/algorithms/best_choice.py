"""BC: the largest charges, as many as the links carry, found by a sorting network."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.codes import CHARGE, SUM
from emulator.formatter import EMPTY, Decoded, Ends, Packets, Words, counter_code, with_room
from models.arrays import IntArray
from models.chip import MAX_ELINKS, Revision

CELLS_SENT = (1, 4, 6, 9, 14, 18, 23, 28, 32, 37, 41, 46, 48)
"""Cells sent with 1, 2, .. 13 links."""

LARGEST_CHARGE = (1 << 18) - 1
"""The sorter is 18 bits wide, as wide as 4E3M reaches; larger charges are clipped."""

_ADDRESS_BITS = 6


@functools.cache
def sorting_network(n: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Batcher's odd-even merge sort of `n` inputs (Knuth, TAOCP 5.2.2, algorithm M).

    Each stage is (2, pairs): input pairs[0] and pairs[1] are compared and the larger goes to pairs[0]; the pairs of a
    stage are disjoint. Equal inputs stay where they are, and this is what fixes the order of ties.
    """
    top = 1 << max((n - 1).bit_length() - 1, 0)
    stages = []
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            low = np.arange(n - d)
            low = low[low & p == r]
            stages.append(np.stack([low, low + d]))
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return tuple(stages)


def sort_charges(charge: IntArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Charges (n, 48) below 2^57 in falling order, and the cell of each: (n, 48) and (n, 48)."""
    # Charge and cell travel as one number; the comparisons see the charge alone.
    item = (np.asarray(charge).astype(np.int64) << _ADDRESS_BITS | np.arange(charge.shape[1])).T.copy()
    for high, low in sorting_network(charge.shape[1]):
        a, b = item[high], item[low]
        swap = a >> _ADDRESS_BITS < b >> _ADDRESS_BITS
        item[high] = np.where(swap, b, a)
        item[low] = np.where(swap, a, b)
    return (item >> _ADDRESS_BITS).T, (item & ((1 << _ADDRESS_BITS) - 1)).T


@dataclass(frozen=True)
class BestChoice:
    """Settings of BC."""

    counter_field: ClassVar = fields.SHORT_COUNTER

    n_elinks: int
    dropped_bits: int
    use_sum: bool
    revision: Revision

    @property
    def layout(self) -> fields.Layout:
        """Fields of the frame."""
        return fields.best_choice(CELLS_SENT[self.n_elinks - 1])

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        """The cells that are `sent` (n, 48), their `charge_code` (n, 48) and the `sum_code` (n,)."""
        n_sent = CELLS_SENT[self.n_elinks - 1]
        charge = np.minimum(calq >> self.dropped_bits, LARGEST_CHARGE)
        ordered, cell = sort_charges(charge)
        sent = np.zeros(charge.shape, dtype=bool)
        np.put_along_axis(sent, cell[:, :n_sent], True, axis=1)
        summed = ordered if self.use_sum else ordered[:, n_sent:]
        return {"sent": sent, "charge_code": CHARGE.encode(charge), "sum_code": SUM.encode(summed.sum(axis=1))}

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        """Frames of the cells that are sent."""
        values = {"bx_counter": counter_code(self.counter_field, counter), "module_sum": stages["sum_code"]}
        cells = fields.cell_values(stages["sent"], stages["charge_code"], self.revision)
        words = fields.pack(self.layout, values | cells)
        return Packets.fixed(words, 2 * self.n_elinks if self.n_elinks < MAX_ELINKS else fields.n_words(self.layout))

    def decode(
        self, words: Words, counter: IntArray | None = None, ends: Ends = EMPTY
    ) -> tuple[Decoded, Ends]:
        """Charges of the cells that were sent, 0 for all others."""
        values = fields.unpack(self.layout, with_room(words))
        charge = fields.cell_charges(values, self.revision)
        columns = {"bx_counter": values["bx_counter"], "module_sum": values["module_sum"], "charge": charge}
        calq = CHARGE.estimate(np.maximum(charge, 0), self.dropped_bits)
        return Decoded(columns, SUM.estimate(values["module_sum"], self.dropped_bits), calq), EMPTY
