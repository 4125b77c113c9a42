"""STC: sums over groups of trigger cells, with the address of the largest cell in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.codes import CHARGE, FINE_SUM, FloatCode
from emulator.fields import ABSENT
from emulator.formatter import EMPTY, Decoded, Ends, Packets, Words, counter_code, with_room
from models.arrays import IntArray
from models.trigger_cells import N_TRIGGER_CELLS


@dataclass(frozen=True)
class StcType:
    """One of the four settings of `stc_type`; `groups_sent` by number of links, 1 first."""

    name: str
    group_size: int
    address_bits: int
    code: FloatCode
    groups_sent: tuple[int, ...]

    @property
    def n_groups(self) -> int:
        """Groups that the 48 cells form."""
        return N_TRIGGER_CELLS // self.group_size


TYPES = (
    StcType("STC4 9-bit", 4, 2, FINE_SUM, (2, 5, 8, 11, 12)),
    StcType("STC16 9-bit", 16, 4, FINE_SUM, (2, 3)),
    StcType("CTC4 7-bit", 4, 0, CHARGE, (4, 8, 12)),
    StcType("STC4 7-bit", 4, 2, CHARGE, (3, 6, 10, 12)),
)


@dataclass(frozen=True)
class SuperTriggerCell:
    """Settings of STC."""

    counter_field: ClassVar = fields.SHORT_COUNTER

    n_elinks: int
    stc_type: int
    dropped_bits: int

    @property
    def kind(self) -> StcType:
        """Sizes of this `stc_type`."""
        return TYPES[self.stc_type]

    @property
    def n_sent(self) -> int:
        """Groups sent; with more links than a type can fill, the chip sends empty frames."""
        sent = self.kind.groups_sent
        return sent[self.n_elinks - 1] if self.n_elinks <= len(sent) else 0

    @property
    def layout(self) -> fields.Layout:
        """Fields of the frame."""
        return fields.super_trigger_cell(self.n_sent, self.kind.address_bits, self.kind.code)

    @property
    def _sum_dropped_bits(self) -> int:
        """Bits are dropped for the short code only; 5E4M reaches far enough without."""
        return self.dropped_bits if self.kind.code is CHARGE else 0

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        """The `address` of the largest cell (n, groups), the last one on a tie, and the `sum_code` (n, groups)."""
        groups = calq.reshape(len(calq), self.kind.n_groups, self.kind.group_size)
        last_largest = self.kind.group_size - 1 - np.argmax(groups[:, :, ::-1], axis=2)
        return {
            "address": last_largest,
            "sum_code": self.kind.code.encode(groups.sum(axis=2), self._sum_dropped_bits),
        }

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        """Frames of the groups that are sent."""
        if not self.n_sent:
            return Packets.fixed(np.zeros((len(counter), fields.MAX_WORDS), dtype=np.uint16), 2)
        values = {
            "bx_counter": counter_code(self.counter_field, counter),
            "address": stages["address"][:, : self.n_sent],
            "sum": stages["sum_code"][:, : self.n_sent],
        }
        words_in_links = 2 * -(-fields.n_words(self.layout) // 2)
        return Packets.fixed(fields.pack(self.layout, values), words_in_links)

    def decode(
        self, words: Words, counter: IntArray | None = None, ends: Ends = EMPTY
    ) -> tuple[Decoded, Ends]:
        """The charge of a group is put at its address; without addresses (type 2) it is spread over the group."""
        n, kind = len(words), self.kind
        calq = np.zeros((n, kind.n_groups, kind.group_size), dtype=np.int64)
        columns: dict[str, npt.NDArray[np.int64]] = {}
        if self.n_sent:
            columns = fields.unpack(self.layout, with_room(words))
            sums = kind.code.estimate(columns["sum"], self._sum_dropped_bits)[:, :, None]
            if kind.address_bits:
                np.put_along_axis(calq[:, : self.n_sent], columns["address"][:, :, None], sums, axis=2)
            else:
                calq[:, : self.n_sent] = sums // kind.group_size
        return Decoded(columns, np.full(n, ABSENT), calq.reshape(n, N_TRIGGER_CELLS)), EMPTY
