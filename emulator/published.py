"""Published outputs that are not what the chip sends under the settings beside them, known by their content.

Each is recognised by its input and its settings, and shown to be what its reason says: the output is made again in the
wrong way and must equal the published one in every bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from emulator import fields
from emulator.algorithms.best_choice import BestChoice
from emulator.chip import EconT
from emulator.link_words import join_words, split_words
from emulator.output_buffer import CAPACITY
from models.arrays import IntArray
from models.chip import Algorithm, Revision
from models.registers import Registers
from models.trigger_cells import N_TRIGGER_CELLS

_RANDOM_PATTERN = "3d2dd2e5e7dde959"
_COUNTER_BY_2 = "874e5b2e25ce2529"
"""Digests of the published inputs randomPatternExpInTC and counterPatternInTC_by2."""

_NEVER = 511
"""A threshold of the buffer that so few links do not reach."""


_Make = Callable[[Registers, IntArray, IntArray], IntArray]


@dataclass(frozen=True)
class WrongFile:
    """A wrong output by its input and settings, attributes of `Registers`; `made` is how it comes about.

    `made` takes the settings, the eRx words (n, 12) and the published eTx words (n, 13), and returns eTx words.
    """

    reason: str
    erx_digest: str
    settings: Mapping[str, Any]
    made: _Make

    def explains(self, registers: Registers, erx: IntArray, etx: IntArray) -> bool:
        """Whether these are its settings, its input and, in every bit, its output."""
        found = {name: getattr(registers, name) for name in self.settings}
        same = all(np.array_equal(found[name], value) for name, value in self.settings.items())
        return same and digest(erx) == self.erx_digest and np.array_equal(self.made(registers, erx, etx), etx)


def explanation(registers: Registers, erx: IntArray, etx: IntArray) -> str:
    """Why a published output (n, 13) of the input (n, 12) is wrong; empty if that is not known."""
    return next((file.reason for file in WRONG_FILES if file.explains(registers, erx, etx)), "")


def digest(words: IntArray) -> str:
    """16 hex digits that link words have in common whatever the file that holds them looks like."""
    return hashlib.sha256(words.astype(">u4").tobytes()).hexdigest()[:16]


def _with(values: Mapping[str, int | list[int]]) -> _Make:
    """The output under other settings."""
    return lambda registers, erx, _: EconT(registers.with_values(values)).run(erx).etx


def _zero_charges_last(registers: Registers, erx: IntArray, _: IntArray) -> IntArray:
    """BC frames in which the codes 0 stand behind the others, instead of in the order of the cells."""
    layout = BestChoice(registers.n_elinks, registers.dropped_bits, registers.use_sum, registers.revision).layout
    values = fields.unpack(layout, split_words(EconT(registers).run(erx).etx))
    behind = np.argsort(values["charge"] == 0, axis=1, kind="stable")
    values["charge"] = np.take_along_axis(values["charge"], behind, axis=1)
    return join_words(fields.pack(layout, values))


def _other_buffer_thresholds(registers: Registers, erx: IntArray, etx: IntArray) -> IntArray:
    """The TS output under thresholds that cut frames from about 400 waiting words on, if some make `etx`."""
    given, frame = registers.buffer_thresholds[0], 25
    around = range(CAPACITY - frame, CAPACITY + 2 * frame)
    candidates = [(t1, _NEVER, 0) for t1 in (given, *around)]
    candidates += [(t1, t2, frame) for t2 in around for t1 in (given, _NEVER)]
    beginning = 300
    for t1, t2, t3 in candidates:
        values: dict[str, int | list[int]] = {"buff_t1": t1, "buff_t2": t2, "buff_t3": t3}
        chip = EconT(registers.with_values({f"FMTBUF_ALL.{name}": value for name, value in values.items()}))
        if np.array_equal(chip.run(erx[:beginning]).etx, etx[:beginning]):
            found = chip.run(erx).etx
            if np.array_equal(found, etx):
                return found
    return np.zeros_like(etx)


WRONG_FILES = (
    WrongFile("this is the output of TS_Thr1000000: thresholds of 1000000 in place of 0", _RANDOM_PATTERN,
              {"revision": Revision.P1, "algorithm": Algorithm.THRESHOLD_SUM, "threshold": [0] * N_TRIGGER_CELLS},
              _with({"ALGO_THRESHOLD_VAL.threshold_val_*": 1_000_000})),
    WrongFile("in BX 2659 the code of a chosen cell of charge 0 stands behind the others", _RANDOM_PATTERN,
              {"revision": Revision.P1, "algorithm": Algorithm.BEST_CHOICE, "n_elinks": 10},
              _zero_charges_last),
    WrongFile("it was not made with the T2 and T3 beside it: frames are cut from 400 waiting words on", _COUNTER_BY_2,
              {"revision": Revision.P1, "algorithm": Algorithm.THRESHOLD_SUM, "threshold": [47] * N_TRIGGER_CELLS,
               "n_elinks": 2}, _other_buffer_thresholds),
    WrongFile("this is the output of 10 links beside a setting of 9", _COUNTER_BY_2,
              {"revision": Revision.PRODUCTION, "algorithm": Algorithm.BEST_CHOICE, "n_elinks": 9},
              _with({"FMTBUF_ALL.config.eporttx_numen": 10})),
)
