"""What every frame obeys: by it a damaged frame is told from a good one, and the order of the links is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emulator import fields
from emulator.algorithms.autoencoder import Autoencoder
from emulator.algorithms.best_choice import CELLS_SENT, BestChoice
from emulator.algorithms.super_trigger_cell import SuperTriggerCell
from emulator.chip import EconT, algorithm_block
from emulator.codes import CHARGE, FINE_SUM, SUM
from emulator.formatter import AlgorithmBlock, Words, with_room
from emulator.front_end import N_ERX
from models.arrays import BoolArray, Int64Array, IntArray
from models.registers import Registers
from models.trigger_cells import N_TRIGGER_CELLS


@dataclass(frozen=True)
class Known:
    """Sums that one charge map alone can have, (groups,) as code, and what a frame says of that map.

    `says` are values by field: of AE the latents, of STC the address in each group.
    """

    sum_code: Int64Array
    says: Mapping[str, IntArray]


@dataclass(frozen=True)
class FrameRules:
    """The rules of frames of AE, BC, STC or RPT under some settings."""

    block: AlgorithmBlock
    layout: fields.Layout
    known: tuple[Known, ...]

    @classmethod
    def of(cls, registers: Registers) -> FrameRules:
        """The rules of the selected algorithm; TS has none of this kind."""
        block = algorithm_block(registers)
        # The layout of the others stands in the protocol of no algorithm: TS has many.
        layout: fields.Layout = getattr(block, "layout", None) or fields.repeater()
        empty, step = EconT(registers).calq(np.zeros((1, N_ERX), dtype=np.int64)), _least_step(registers)
        known = [found for calq in (np.zeros_like(empty), empty) for found in _known(block, layout, calq, step)]
        return cls(block, layout, tuple(known))

    def obeyed(self, words: Words) -> BoolArray:
        """Which rules the words (n, 2 links) of each bunch crossing obey, (n, rules).

        What is behind the frame is zero. BC names as many cells as it sends, in rising order, and its sum fits their
        charges. Without input charge, which the sum tells, AE has one set of latents and STC one largest cell in each
        group. All other bits are free.
        """
        values = fields.unpack(self.layout, with_room(words))
        rules = [_zero_behind(self.layout, words)]
        if isinstance(self.block, BestChoice):
            rules += _best_choice(self.block, values)
        if isinstance(self.block, Autoencoder):
            rules.append(np.asarray(values["unused"] == 0))
        for known in self.known:
            total = _rows(values["module_sum" if "module_sum" in values else "sum"])
            for name, value in known.says.items():
                fits = (total != known.sum_code[: total.shape[1]]) | (_rows(values[name]) == value[: total.shape[1]])
                rules += list(fits.T)
        return np.stack(rules, axis=1)


def _least_step(registers: Registers) -> int:
    """The smallest charge by which an input that is not empty differs from one that is."""
    codes = np.array([[0], [sum(1 << CHARGE.bits * k for k in range(4))]]) * np.ones((1, N_ERX), dtype=np.int64)
    none, one = EconT(registers).calq(codes)
    return int((one - none).min())


def _known(block: AlgorithmBlock, layout: fields.Layout, calq: IntArray, step: int) -> list[Known]:
    """What a frame says of a charge map (1, 48) if no other map has its sums; nothing for other algorithms."""
    if isinstance(block, Autoencoder):
        sum_code, after = FINE_SUM.encode(calq.sum(axis=1)), FINE_SUM.encode(calq.sum(axis=1) + max(step, 1))
        frame = fields.unpack(layout, block.packets(block.run(calq), np.zeros(1, dtype=np.int64)).words)
        says: Mapping[str, IntArray] = {name: value for name, value in frame.items() if name.startswith("latent")}
    elif isinstance(block, SuperTriggerCell) and block.kind.address_bits:
        stages = block.run(calq)
        sum_code = stages["sum_code"][0]
        after = block.run(calq + np.eye(N_TRIGGER_CELLS, dtype=np.int64)[:: block.kind.group_size].sum(axis=0)
                          * max(step, 1))["sum_code"][0]
        says = {"address": stages["address"][0]}
    else:
        return []
    return [Known(sum_code, says)] if (after > sum_code).all() else []


def _rows(values: IntArray) -> IntArray:
    return values.reshape(len(values), -1)


def _zero_behind(layout: fields.Layout, words: Words) -> BoolArray:
    bits = np.unpackbits(np.ascontiguousarray(words, dtype=">u2").view(np.uint8), axis=1)
    return np.asarray(~bits[:, fields.n_bits(layout) :].any(axis=1), dtype=np.bool_)


def _best_choice(block: BestChoice, values: Mapping[str, IntArray]) -> list[BoolArray]:
    n_sent = CELLS_SENT[block.n_elinks - 1]
    if "cell_map" in values:
        named: BoolArray = np.asarray(values["cell_map"].sum(axis=1) == n_sent)
    else:
        address = _rows(values["address"])
        named = np.asarray((address < N_TRIGGER_CELLS).all(axis=1) & (np.diff(address, axis=1) > 0).all(axis=1))
    charge, total = _rows(values["charge"]), values["module_sum"]
    if block.use_sum:
        return [named, SUM.encode(CHARGE.lowest(charge).sum(axis=1)) <= total]
    least = charge.min(axis=1)
    most_of_others = (N_TRIGGER_CELLS - n_sent) * (CHARGE.lowest(least + 1) - 1)
    return [named, (total <= SUM.encode(most_of_others)) | (least == (1 << CHARGE.bits) - 1)]
