"""What the fields that differ between two captures suggest."""

from __future__ import annotations

import numpy as np

from emulator.algorithms.threshold_frames import TYPE_TRUNCATED
from emulator.capture.differences import frames_of
from emulator.capture.lanes import Etx
from emulator.capture.matching import Overlay
from emulator.chip import algorithm_block
from emulator.codes import CHARGE
from emulator.fields import ABSENT
from emulator.formatter import Decoded
from models.arrays import BoolArray, IntArray
from models.chip import Algorithm
from models.registers import Registers
from models.wording import counted

_NEARLY_ALL = 0.98
"""Of the numbers, the fraction that must agree with a guess."""
_MOSTLY = 0.9
_UNRELATED = 0.5
"""Of the counters, the fraction that differs between captures that have nothing in common."""
_FACTOR_2 = 1 << CHARGE.mantissa_bits
"""Codes of charges that differ by this differ by a factor of 2, above the smallest ones and below saturation."""
_EXACT_FACTORS = range(2 * _FACTOR_2, (1 << CHARGE.bits) - 1)
_IDLE_BITS = 0x7FF
_MOST_LISTED = 8


NOTHING_IN_COMMON = ("the captures have nothing in common: other data, other settings, or words that are not aligned "
                     "(econ-t chip decode --align says more)")

CUT = "that should be whole: buff_t1, buff_t2, buff_t3 or the number of links"

Columns = dict[str, IntArray]


def counter_cause(laid: Overlay, words: Etx, registers: Registers, first_bx: int) -> str:
    """What it means if the counter is wrong and nothing else is; empty if it is not so."""
    there, here, wrong = _frames_of_both(laid, words, registers, first_bx)
    if {name for name, column in wrong.items() if column.any()} != {"bx_counter"}:
        return ""
    period = 1 << algorithm_block(registers).counter_field.bits - 1
    by = (here["bx_counter"] - there["bx_counter"])[wrong["bx_counter"]] % period
    usual = int(np.bincount(by).argmax())
    if wrong["bx_counter"].mean() < _NEARLY_ALL or (by == usual).mean() < _MOSTLY:
        return ""
    late = usual if usual < period // 2 else usual - period
    return (f"only the counter differs, by {late} BX: the data are {abs(late)} BX {'late' if late > 0 else 'early'} "
            "against it")


def field_causes(laid: Overlay, words: Etx, registers: Registers, first_bx: int) -> list[str]:
    """What the fields that differ suggest."""
    there, here, wrong = _frames_of_both(laid, words, registers, first_bx)
    if not wrong or wrong["bx_counter"].mean() > _UNRELATED or not wrong["bx_counter"].size:
        return [NOTHING_IN_COMMON]
    names, texts = {name for name, column in wrong.items() if column.any()}, list[str]()
    algorithm = registers.algorithm
    if algorithm is Algorithm.THRESHOLD_SUM and "type" in names:
        cut = (here["type"] >= TYPE_TRUNCATED) & (there["type"] < TYPE_TRUNCATED)
        if cut.sum() > wrong["type"].sum() // 2:
            return [f"{counted(int(cut.sum()), 'frame')} cut {CUT}"]
    if algorithm is Algorithm.THRESHOLD_SUM and not names:
        texts += _filling(laid, words, registers)
    elif names == {"module_sum"}:
        texts.append("only the sum of the module differs: use_sum, or drop_lsb")
    elif names == {"sum"}:
        texts.append("the sums of the groups differ, their largest cells do not: stc_type, drop_lsb, density, or cal")
    elif algorithm is Algorithm.AUTOENCODER and "latent" in names and "module_sum" not in names:
        texts.append("the latents differ, the sums do not: weights, or the mask of the output bits")
    elif "charge" in names:
        texts += _charges(there["charge"], here["charge"], algorithm)
    return texts or [f"{' and '.join(sorted(names))} differ: another setting, or another input"]


def _frames_of_both(laid: Overlay, words: Etx, registers: Registers, first_bx: int) -> tuple[Columns, Columns, Columns]:
    """Fields of the frames that both captures have, expected and found, and where they differ."""
    rows = np.zeros(len(laid.expected), dtype=bool)
    rows[laid.place[laid.inside]] = True
    there, here = (_part(frames_of(registers, etx, first_bx), rows)
                   for etx in (laid.expected, laid.on_expected(words)))
    if not there:  # the empty frames of an STC type with more links than it can fill
        return {}, {}, {}
    # A frame that only one side has, behind a long one on the other, is no difference of its fields.
    read = (there["bx_counter"] != ABSENT) & (here["bx_counter"] != ABSENT)
    there, here = ({name: column[read] for name, column in one.items()} for one in (there, here))
    return there, here, {name: column != here[name] for name, column in there.items()}


def _part(frames: Decoded, rows: BoolArray) -> dict[str, IntArray]:
    return {name: column[rows[: len(column)]] for name, column in frames.columns.items()}


def _filling(laid: Overlay, words: Etx, registers: Registers) -> list[str]:
    """All frames are right: what fills the links is not."""
    low = (words[laid.inside] & np.uint32(_IDLE_BITS)).ravel()
    different = (laid.expected[laid.place[laid.inside]] != words[laid.inside]).ravel()
    if not different.any():
        return []
    usual = int(np.bincount(low[different].astype(np.int64)).argmax())
    return [f"all frames are equal, what fills the links is not: filling word {usual:#x}, expected "
            f"{registers.filling_word:#x}"]


def _charges(there: IntArray, here: IntArray, algorithm: Algorithm) -> list[str]:
    """The relation of charge codes by cell, (n, 48)."""
    if np.array_equal(there, here[:, ::-1]):
        return ["the cells are in reverse order: the map of the other revision"]
    both = (there != ABSENT) & (here != ABSENT)
    step = (here - there)[both & np.isin(there, _EXACT_FACTORS) & np.isin(here, _EXACT_FACTORS)]
    if len(step):
        value = int(np.bincount(step - step.min()).argmax() + step.min())
        if value and value % _FACTOR_2 == 0 and (step == value).mean() > _NEARLY_ALL:
            n = abs(value) // _FACTOR_2
            return [f"all charges are {1 << n} times {'larger' if value > 0 else 'smaller'}: drop_lsb {n} "
                    f"{'lower' if value > 0 else 'higher'}, the density, or cal"]
    if algorithm in (Algorithm.THRESHOLD_SUM, Algorithm.BEST_CHOICE):
        more = (here != ABSENT).sum() - (there != ABSENT).sum()
        same = (there == here)[both].mean() if both.any() else 0.0
        if more and same > _NEARLY_ALL:
            return [f"the charges are right, but {'more' if more > 0 else 'fewer'} cells are sent: threshold_val"]
    cells = np.flatnonzero((there != here).any(axis=0))
    if 0 < len(cells) < there.shape[1] // 2:
        return [f"only {counted(len(cells), 'cell')} wrong: mux_select or cal of "
                + ", ".join(map(str, cells[:_MOST_LISTED]))]
    return ["the charges differ: mux_select, cal, density, drop_lsb, or another input"]
