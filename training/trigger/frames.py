"""What the back end receives of all charges: each module through its algorithm, its chip's frames and a decoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.algorithms.super_trigger_cell import TYPES
from emulator.algorithms.threshold_frames import LENGTHS
from models.arrays import BoolArray, FloatArray, Int64Array, IntArray
from models.chip import LINK_BITS, MAX_ELINKS, WORD_BITS, Algorithm
from models.compact_decoder import CompactDecoder
from models.errors import InputError
from models.trigger_cells import N_TRIGGER_CELLS
from models.wording import counted
from training.fit.run import Run
from training.networks.decoding import load_decoder
from training.physics.schemes import BUFFER_BX, Decoder, Scheme, autoencoder, classical_schemes, threshold_sum
from training.production.geometry import modules
from training.trigger.events import Events, exists
from training.trigger.system import Rule, System

N_ENDCAPS = 2


@dataclass(frozen=True)
class Received:
    """What the back end gets of the rows of `Events`.

    charge (n, 48) in CALQ and trigger-cell order; bits (n,) of each frame without filling, 0 for charges sent without a
    chip; cut (n,) whether an output buffer truncated the frame.
    """

    charge: FloatArray
    bits: Int64Array
    cut: BoolArray


@dataclass(frozen=True)
class Group:
    """Modules (rows of `geometry.modules`) that run one rule on one number of links; no scheme for all charges."""

    rule: Rule
    n_links: int
    modules: Int64Array
    scheme: Scheme | None


class FrontEnd:
    """All chips of a system, in groups of equal settings."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.n_links = system.links.of_modules()
        """Links of each row of `geometry.modules`, (n,)."""
        self._rules = system.rules_of_modules(self.n_links)

    @cached_property
    def groups(self) -> list[Group]:
        """All groups; loads the runs of the autoencoders.

        Raises InputError if a run cannot be read, or needs more links than its modules have.
        """
        found = []
        for index, rule in enumerate(self.system.rules):
            for n_links in np.unique(self.n_links[self._rules == index]).tolist():
                rows = np.flatnonzero((self._rules == index) & (self.n_links == n_links))
                chip = scheme(rule, n_links)
                if rule.algorithm == "AE" and chip is not None and chip.n_elinks > n_links:
                    raise InputError(f"{self.system.where}: weights: {rule.run_of(n_links)}: frames for "
                                     f"{counted(chip.n_elinks, 'link')} on modules with {n_links}; expected weights "
                                     f"for at most {n_links}, with {{links}} in the name")
                found.append(Group(rule, n_links, rows, chip))
        return found

    @cached_property
    def links_that_send(self) -> Int64Array:
        """Links of the modules that send frames; of all modules if none does, as all charges come without a chip."""
        rows = [group.modules for group in self.groups if group.scheme is not None]
        return self.n_links[np.concatenate(rows)] if rows else self.n_links

    def receive(self, events: Events) -> Received:
        """Send all modules of some events; those without a charge send frames of zeros."""
        charge = np.zeros(events.calq.shape, dtype=np.float32)
        bits, cut = np.zeros(len(events), dtype=np.int64), np.zeros(len(events), dtype=bool)
        for group in self.groups:
            rows = np.flatnonzero(np.isin(events.module, group.modules))
            calq = events.calq[rows].astype(np.int64)
            if group.scheme is None:
                charge[rows] = calq
                continue
            if group.scheme.algorithm is Algorithm.THRESHOLD_SUM:
                n_words = LENGTHS[(calq >= group.rule.threshold).sum(axis=1)]
                cut[rows] = truncated(n_words, events.event[rows] - events.numbers.start, len(events.numbers),
                                      N_ENDCAPS * events.module[rows] + events.endcap[rows], group.n_links)
            received = group.scheme.run(calq)
            bits[rows] = np.where(cut[rows], WORD_BITS, received.bits)
            here = np.where(cut[rows, None], 0.0, received.charge)
            charge[rows] = on_silicon(here, events.module[rows])
        return Received(charge, bits, cut)

    def occupancy(self, events: Events, received: Received) -> float:
        """Share of the link bits that frames fill, of all modules that send any, also without a charge."""
        total = 0
        for group in self.groups:
            if group.scheme is None:
                continue
            rows = np.isin(events.module, group.modules)
            idle = N_ENDCAPS * len(group.modules) * len(events.numbers) - int(rows.sum())
            empty = group.scheme.run(np.zeros((1, N_TRIGGER_CELLS), dtype=np.int64)).bits[0]
            total += int(received.bits[rows].sum()) + idle * int(empty)
        return total / (LINK_BITS * N_ENDCAPS * len(events.numbers) * float(self.links_that_send.sum()))


def scheme(rule: Rule, n_links: int) -> Scheme | None:
    """Settings of the chip for a rule on a number of links, None for charges sent as they are.

    TS gets the links of the largest chip: each frame leaves in one bunch crossing, and `truncated` says what the output
    buffer of the real number of links makes of it. Raises InputError if the run of an autoencoder cannot be read.
    """
    if rule.algorithm == "all":
        return None
    if rule.algorithm == "AE":
        return autoencoder_of(rule, n_links)
    if rule.algorithm == "TS":
        return threshold_sum(MAX_ELINKS, 0, rule.threshold)
    known = {one.name: one for one in classical_schemes(n_links, 0, ())}
    if rule.algorithm != "STC":
        return known[rule.algorithm]
    number = stc_type(n_links) if rule.stc_type is None else rule.stc_type
    spread = rule.spread or not TYPES[number].address_bits
    return known[f"{TYPES[number].name} {'spread' if spread else 'at largest'}"]


def autoencoder_of(rule: Rule, n_links: int) -> Scheme:
    """The autoencoder of a rule; its decoder, most of the work, sees equal frames once and small sums not at all."""
    run, path = Run(rule.run_of(n_links)), rule.decoder_of(n_links)
    decoder = load_decoder(path, run.config.encoder, run.weights)
    if isinstance(decoder, CompactDecoder):
        decoder.check_encoder(run.weights.digest(), path)
    else:
        from training.networks.decoder import Compiled  # noqa: PLC0415  (starts TensorFlow)

        decoder = Compiled(decoder)
    whole = autoencoder(f"AE {run.name}", run.weights, decoder)
    assert whole.decoder is not None
    return replace(whole, decoder=once_for_equal_frames(whole.decoder, rule.least_sum))


def once_for_equal_frames(decoder: Decoder, least_sum: int) -> Decoder:
    """A decoder that decodes each different frame once, and frames of smaller module sums to nothing."""

    def decoded(latent: IntArray, module_sum: IntArray) -> FloatArray:
        fractions = np.zeros((len(latent), N_TRIGGER_CELLS))
        rows = np.flatnonzero(module_sum >= max(least_sum, 1))
        frames, which = np.unique(np.column_stack([latent, module_sum])[rows], axis=0, return_inverse=True)
        if len(frames):
            fractions[rows] = decoder(frames[:, :-1], frames[:, -1])[which.ravel()]
        return fractions

    return decoded


def stc_type(n_links: int) -> int:
    """Type of STC that sends all groups with the smallest groups, addresses and finest sums that the links allow.

    On one link no type sends a whole module, and 16-cell sums send most of it.
    """
    whole = [number for number, kind in enumerate(TYPES)
             if kind.groups_sent[min(n_links, len(kind.groups_sent)) - 1] == kind.n_groups]
    return min(whole, default=1, key=lambda number: (TYPES[number].group_size, -TYPES[number].address_bits, number))


def truncated(n_words: IntArray, event: IntArray, n_events: int, chip: IntArray, n_links: int) -> BoolArray:
    """Whether the output buffer of TS truncates each frame, (n,): the rule of `OutputBuffer` for many chips at once.

    n_words, event (from 0) and chip of each frame, (n,). Events are consecutive bunch crossings of every chip, gone
    through twice: buffers are as full at the start as at the end. A frame that is not listed has one word.
    """
    _, row = np.unique(chip, return_inverse=True)
    length = np.ones((n_events, int(row.max(initial=-1)) + 1), dtype=np.int64)
    length[event, row] = n_words
    cut, waiting = np.zeros(length.shape, dtype=bool), np.zeros(length.shape[1], dtype=np.int64)
    per_bx = LINK_BITS // WORD_BITS * n_links
    for number in (*range(n_events), *range(n_events)):
        cut[number] = waiting + length[number] > per_bx * BUFFER_BX
        waiting = np.maximum(waiting + np.where(cut[number], 1, length[number]) - per_bx, 0)
    found: BoolArray = cut[event, row]
    return found


def on_silicon(charge: npt.NDArray[Any], module: IntArray) -> FloatArray:
    """Charges (n, 48) with what lies where a module has no silicon given to its other cells, in proportion."""
    partial = np.flatnonzero(modules().partial[module])
    there = charge[partial] * exists()[module[partial]]
    total, kept = charge[partial].sum(axis=1), there.sum(axis=1)
    placed = charge.copy()
    placed[partial] = there * np.divide(total, kept, out=np.zeros_like(total), where=kept > 0)[:, None]
    return placed

