"""RPT: all 48 charges, as many of them as the links carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.codes import CHARGE
from emulator.fields import ABSENT
from emulator.formatter import EMPTY, Decoded, Ends, Packets, Words, with_room
from models.arrays import IntArray
from models.chip import WORD_BITS
from models.trigger_cells import N_TRIGGER_CELLS


@dataclass(frozen=True)
class Repeater:
    """Settings of RPT."""

    counter_field: ClassVar = fields.COUNTER

    n_elinks: int
    dropped_bits: int

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        """The `charge_code` (n, 48) of every charge."""
        return {"charge_code": CHARGE.encode(calq, self.dropped_bits)}

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        """Frames of all charges, of which the links carry the first ones."""
        words = fields.pack(fields.repeater(), {"bx_counter": counter, "charge": stages["charge_code"]})
        return Packets.fixed(words, 2 * self.n_elinks)

    def decode(
        self, words: Words, counter: IntArray | None = None, ends: Ends = EMPTY
    ) -> tuple[Decoded, Ends]:
        """The charges that the links carried whole; all others are absent."""
        values = fields.unpack(fields.repeater(), with_room(words))
        n_whole = min(N_TRIGGER_CELLS, (words.shape[1] * WORD_BITS - fields.COUNTER.bits) // CHARGE.bits)
        charge = values["charge"]
        charge[:, n_whole:] = ABSENT
        calq = CHARGE.estimate(np.maximum(charge, 0), self.dropped_bits)
        return Decoded(values, np.full(len(words), ABSENT), calq), EMPTY
