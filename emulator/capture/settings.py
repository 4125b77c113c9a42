"""One wrong register: settings that differ in one, and whether the chip sends the recorded words under them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from emulator.capture.differences import frames_of
from emulator.capture.lanes import Etx
from emulator.capture.matching import Overlay
from emulator.chip import EconT
from emulator.fields import ABSENT
from models.arrays import IntArray
from models.chip import MAX_ELINKS, Algorithm, Revision
from models.errors import InputError
from models.register_map import register_map
from models.registers import Registers

_TRIED = 600
"""Rows on which each setting is tried."""

_VALUES: Mapping[str, range] = {
    "MFC_ALGORITHM_SEL_DENSITY.algo.select": range(len(Algorithm)),
    "MFC_ALGORITHM_SEL_DENSITY.algo.density": range(2),
    "ALGO_DROPLSB.drop_lsb": range(5),
    "FMTBUF_ALL.config.use_sum": range(2),
    "FMTBUF_ALL.config.stc_type": range(4),
    "FMTBUF_ALL.config.eporttx_numen": range(1, MAX_ELINKS + 1),
}
"""Settings of few values, all of which are tried."""

_RESET = (
    "MFC_MUX_SELECT.mux_select_*", "MFC_CAL_VAL.cal_*", "ALGO_THRESHOLD_VAL.threshold_val_*",
    "FMTBUF_ALL.buff_t1", "FMTBUF_ALL.buff_t2", "FMTBUF_ALL.buff_t3", "FMTBUF_ALL.mask_ae", "FMTBUF_ALL.mask_ae2",
    "FMTBUF_ALL.tx_sync_word", "PRODUCTION.idle_pattern", "PRODUCTION.link_reset_pattern",
)
"""Settings of which the value after reset is tried: their writing was lost."""


def one_changed(registers: Registers) -> Iterator[tuple[str, Registers]]:
    """Settings that differ in one register, and how in words."""
    for name, values in _VALUES.items():
        before = registers.read(name)
        for value in values:
            if value != before:
                yield from _changed(registers, f"{_short(name)} = {value}, expected {before}", {name: value})
    reset = Registers.reset(registers.revision)
    for name in _RESET:
        after_reset, now = ([slot.read(chip.memory) for slot in register_map().slots[name]]
                            for chip in (reset, registers))
        if now != after_reset:
            yield from _changed(registers, f"{_short(name)} has its value after reset", {name: after_reset})
    if registers.algorithm is Algorithm.AUTOENCODER and (codes := registers.weight_codes()).any():
        yield "all weights are 0: they were not written", registers.with_weight_codes(np.zeros_like(codes))
    other = Revision.P1 if registers.revision is Revision.PRODUCTION else Revision.PRODUCTION
    try:
        yield f"the chip is of revision {other}, the registers are for {registers.revision}", registers.taken_as(other)
    except InputError:
        return


def _changed(registers: Registers, text: str, values: Mapping[str, int | list[int]]) -> Iterator[tuple[str, Registers]]:
    try:
        yield text, registers.with_values(values)
    except InputError:  # a combination that no chip takes
        return


def _short(name: str) -> str:
    """The last part of the name of a register."""
    return name.rsplit(".", 1)[-1].removesuffix("_*")


def other_settings(
    registers: Registers, erx: IntArray, laid: Overlay, words: Etx, first_bx: int
) -> list[tuple[str, int]]:
    """The register whose other value gives most recorded rows, and how many; nothing if none gives more than now."""
    n = min(len(erx), len(laid.expected))
    rows = laid.inside & (laid.place < n)
    place, recorded = laid.place[rows], words[rows]
    tried = place < min(n, _TRIED)
    if not tried.any():
        return []

    def n_exact(chip: Registers, end: int) -> int:
        sent = EconT(chip).run(erx[:end], first_bx).etx
        mine = place < end
        return int((sent[place[mine]] == recorded[mine]).all(axis=1).sum())

    best: list[tuple[str, Registers]] = []
    now = n_exact(registers, min(n, _TRIED))
    for text, chip in [*one_changed(registers), *_thresholds(registers, erx, laid, words, first_bx)]:
        found = n_exact(chip, min(n, _TRIED))
        if found > now or (best and found == now):
            best, now = [*(best if found == now else []), (text, chip)], found
    return [(" or ".join(text for text, _ in best), n_exact(best[0][1], n))] if best else []


def _thresholds(
    registers: Registers, erx: IntArray, laid: Overlay, words: Etx, first_bx: int
) -> Iterator[tuple[str, Registers]]:
    """TS with one threshold for all cells: the smallest charge that was sent."""
    if registers.algorithm is not Algorithm.THRESHOLD_SUM:
        return
    n = min(len(erx), len(laid.expected), _TRIED)
    charge = frames_of(registers, laid.on_expected(words)[:n], first_bx).columns["charge"]
    calq = EconT(registers).calq(erx[: len(charge)])
    if (charge != ABSENT).any():
        value = int(calq[charge != ABSENT].min())
        yield from _changed(registers, f"threshold_val is another one, near {value}",
                            {"ALGO_THRESHOLD_VAL.threshold_val_*": value})
