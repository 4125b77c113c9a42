"""Single-event upsets: effect of a flipped bit on latents, frames and EMD, for every bit of the encoder block.

Flips of weights are computed with the emulator, those of mask, link count and pipeline with the compiled RTL, which
also shows what remains of all of them with three copies and a vote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.algorithms.autoencoder import Autoencoder
from emulator.codes import FINE_SUM
from emulator.encoder import encode
from emulator.formatter import bx_counter
from emulator.link_words import join_words, split_words
from emulator.upsets import weight_flips
from models.arrays import Float64Array, IntArray
from models.errors import InputError
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_PER_MIPT, to_trigger_cells
from models.weights import EncoderWeights
from training.physics.emd import Progress, emd
from training.results.upsets import (
    Accumulation,
    BitEffects,
    Kind,
    PipelineUpsets,
    RankedBit,
    Redundancy,
    RegisterUpsets,
    ScrubbingPeriod,
)

if TYPE_CHECKING:
    from training.studies.seu_rtl import FlipBench

Decode = Callable[[Float64Array, IntArray], npt.NDArray[Any]]
"""Latent values (n, outputs) and module sums (n,) -> charge fractions (n, 48), as `networks.decoder.decode`."""


@dataclass(frozen=True)
class Effects:
    """Effects of flipping m bits, (m,) each; `BitEffects` describes them."""

    latent_changed: Float64Array
    code_difference: Float64Array
    frame_changed: Float64Array
    sum_changed: Float64Array
    emd_change: Float64Array

    def at(self, which: slice | npt.NDArray[Any]) -> Effects:
        """Effects of some of the bits."""
        return Effects(*(getattr(self, one.name)[which] for one in fields(self)))

    def result(self) -> BitEffects:
        """Convert to the result that is written to files."""
        return BitEffects(**{one.name: tuple(getattr(self, one.name).tolist()) for one in fields(self)})


@dataclass(frozen=True)
class Bits:
    """Bits of one array of weights or one register; `effects` is None if a flip lasts until the next orbit.

    place: (m,) position of each bit in its code, 0 for the lowest; the codes follow one another.
    """

    name: str
    kind: Kind
    place: IntArray
    effects: Effects | None = None

    def result(self) -> RegisterUpsets:
        """Convert to the result that is written to files."""
        return RegisterUpsets(name=self.name, kind=self.kind, place=tuple(self.place.tolist()),
                              effects=self.effects.result() if self.effects else None)


@dataclass(frozen=True)
class Receiver:
    """Off-detector side: reads latents and module sum from frames, and decodes them to a charge map.

    calq: (n, 48) in image order, the true charges of the events whose numbers the methods take.
    """

    weights: EncoderWeights
    decode: Decode
    calq: IntArray

    @property
    def spec(self) -> EncoderSpec:
        """Encoder that the weights are for."""
        return self.weights.spec

    def read(self, frames: IntArray) -> tuple[IntArray, IntArray]:
        """Read latent codes (..., outputs) and sum codes (...) from frames (..., links) of 32-bit words."""
        n_elinks = self.spec.n_elinks
        flat = frames.reshape(-1, frames.shape[-1])[:, :n_elinks].astype(np.int64)
        words = np.zeros((len(flat), 2 * n_elinks), dtype=np.uint16)
        words[:, : 2 * flat.shape[1]] = split_words(flat)
        columns = Autoencoder(n_elinks, self.spec.ae_mask, self.weights).decode(words)[0].columns
        shape = frames.shape[:-1]
        return columns["latent"].reshape(*shape, -1), columns["module_sum"].reshape(shape)

    def plain_emd(self) -> float:
        """Mean EMD of the events without any flip."""
        trace = encode(self.weights, self.calq, keep=["latent_code", "module_sum"])
        events = np.arange(len(self.calq))
        return float(self.emd(events, trace["latent_code"], FINE_SUM.encode(trace["module_sum"])).mean())

    def emd(self, event: IntArray, latent: IntArray, sum_code: IntArray,
            progress: Progress | None = None) -> Float64Array:
        """EMD (n,) of events (n,) from latents (n, outputs) and sum codes (n,); equal rows are computed once."""
        rows = np.column_stack([event, sum_code, latent]).astype(np.int32)
        packed = np.ascontiguousarray(rows).view(f"V{rows.dtype.itemsize * rows.shape[1]}").ravel()
        _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
        maps = self.decode(self.spec.latent.value(latent[first]), FINE_SUM.decode(sum_code[first]))
        true = to_trigger_cells(self.calq[event[first]])
        return emd(true, maps, progress=progress)[inverse]


def choose_events(calq: IntArray, n: int) -> IntArray:
    """Choose `n` evenly spaced events with a cell above one transverse MIP; raises InputError if there are none."""
    selected = np.flatnonzero(calq.max(axis=1, initial=0) > CALQ_PER_MIPT)
    if not len(selected):
        raise InputError(f"{len(calq)} modules: no module has a cell above {CALQ_PER_MIPT} CALQ; expected at least one")
    chosen: IntArray = selected[np.linspace(0, len(selected) - 1, min(n, len(selected))).astype(int)]
    return chosen


def frames_of(weights: EncoderWeights, output_code: IntArray, sum_code: IntArray, first_bx: int = 0) -> IntArray:
    """Words (n, links) of the frames with outputs (n, outputs) and sum codes (n,), in consecutive bunch crossings."""
    block = Autoencoder(weights.spec.n_elinks, weights.spec.ae_mask, weights)
    stages = {"output_code": output_code, "sum_code": sum_code}
    words = block.packets(stages, bx_counter(first_bx + np.arange(len(output_code)))).words
    return join_words(words)[:, : weights.spec.n_elinks].astype(np.int64)


def weight_upsets(
    receiver: Receiver, calq: IntArray, progress: Progress | None = None
) -> list[Bits]:
    """Flip every bit of the weights. calq: (n, 48), for the effects on latents; the EMD is of the receiver's events.

    A frame depends on the weights only through the latents: it changes if and only if a latent does.
    """
    weights, spec = receiver.weights, receiver.spec
    dropped = spec.dense.output.width - spec.latent_bits
    n_bits = sum(array.size * spec.weight_formats[name].width for name, array in weights.arrays.items())
    latent_changed, code_difference = np.zeros(n_bits), np.zeros(n_bits)
    plain = encode(weights, calq, keep=["latent_code"])["latent_code"]
    for block in weight_flips(weights, calq):
        difference = np.abs((block.output_code >> dropped) - plain[:, block.outputs])
        latent_changed[block.bits] = difference.any(axis=2).mean(axis=1)
        code_difference[block.bits] = difference.sum(axis=2).mean(axis=1)
    effects = Effects(latent_changed, code_difference, frame_changed=latent_changed, sum_changed=np.zeros(n_bits),
                      emd_change=_weight_emd(receiver, n_bits, progress))
    found, start = [], 0
    for name, array in weights.arrays.items():
        width = spec.weight_formats[name].width
        end = start + array.size * width
        found.append(Bits(name, "weights", np.tile(np.arange(width), array.size), effects.at(slice(start, end))))
        start = end
    return found


def _weight_emd(receiver: Receiver, n_bits: int, progress: Progress | None) -> Float64Array:
    """Mean change of the EMD for each bit; events whose latents do not change are not computed again."""
    spec, weights, calq = receiver.spec, receiver.weights, receiver.calq
    dropped = spec.dense.output.width - spec.latent_bits
    trace = encode(weights, calq, keep=["latent_code", "module_sum"])
    plain, sum_code = trace["latent_code"], FINE_SUM.encode(trace["module_sum"])
    bits, events, latents = [], [], []
    for block in weight_flips(weights, calq):
        turned = np.tile(plain, (len(block.bits), 1, 1))
        turned[:, :, block.outputs] = block.output_code >> dropped
        bit, event = np.nonzero((turned != plain).any(axis=2))
        bits.append(block.bits[bit])
        events.append(event)
        latents.append(turned[bit, event].astype(np.int16))
    bit, event, latent = np.concatenate(bits), np.concatenate(events), np.concatenate(latents)
    everything = np.arange(len(calq))
    before = receiver.emd(everything, plain, sum_code)
    change = receiver.emd(event, latent, sum_code[event], progress) - before[event]
    return np.bincount(bit, change, n_bits) / len(calq)


def frame_effects(receiver: Receiver, plain: IntArray, frames: IntArray) -> Effects:
    """Effects of bits from frames (bits, n, links + 1) of the receiver's events; `plain`: (n, links + 1)."""
    latent, sum_code = receiver.read(frames)
    plain_latent, plain_sum = receiver.read(plain)
    difference = np.abs(latent - plain_latent)
    bit, event = np.nonzero(difference.any(axis=2) | (sum_code != plain_sum))
    before = receiver.emd(np.arange(len(plain)), plain_latent, plain_sum)
    change = receiver.emd(event, latent[bit, event], sum_code[bit, event]) - before[event]
    return Effects(
        latent_changed=difference.any(axis=2).mean(axis=1),
        code_difference=difference.sum(axis=2).mean(axis=1),
        frame_changed=(frames != plain).any(axis=2).mean(axis=1),
        sum_changed=(sum_code != plain_sum).mean(axis=1),
        emd_change=np.bincount(bit, change, len(frames)) / len(plain))


def rtl_upsets(receiver: Receiver, chip: FlipBench) -> tuple[list[Bits], PipelineUpsets]:
    """Flip mask, link count and pipeline in the compiled RTL; also count the frames that a pipeline flip affects."""
    spec, plain = receiver.spec, chip.clean(receiver.calq)
    n_weight_bits = sum(array.size * spec.weight_formats[name].width for name, array in receiver.weights.arrays.items())
    n_stored = 8 * len(chip.stored)
    stored = list(range(n_weight_bits, n_stored))
    effects = frame_effects(receiver, plain, chip.stored_flips(receiver.calq, stored))
    place = np.array(stored) >= n_stored - 8  # the last byte
    found = [
        Bits(name, "settings", np.arange(width) % period, effects.at(which))
        for name, which, width, period in (
            ("mask", ~place, int((~place).sum()), spec.dense.output.width), ("links", place, 8, 8))
    ]
    changed = chip.lasting(receiver.calq)
    owner = np.array([number for number, _ in chip.bits()])
    lasting = [number for number in chip.pipeline if (changed[owner == number].sum(axis=1) > 1).any()]
    passing = [bit for bit in chip.bits() if bit[0] not in lasting]
    effects = frame_effects(receiver, plain, chip.pipeline_flips(receiver.calq, passing))
    owner = np.array([number for number, _ in passing])
    for number in chip.pipeline:
        register = chip.registers[number]
        found.append(Bits(register.path.split(".", 1)[1], "pipeline",
                          np.arange(register.width) % _code_width(spec, register.path),
                          None if number in lasting else effects.at(owner == number)))
    return found, PipelineUpsets(
        n_bits=len(changed), n_one_crossing=len(passing),
        most_frames_of_these=int(changed[[number not in lasting for number, _ in chip.bits()]].sum(axis=1).max()),
        until_next_orbit=tuple(chip.registers[number].path.split(".", 1)[1] for number in lasting))


def _code_width(spec: EncoderSpec, path: str) -> int:
    """Width of the codes in a register of the pipeline."""
    name = path.rsplit(".", 1)[1]
    widths = {"hidden_code": spec.conv.output.width, "output_code": spec.dense.output.width,
              "kept_payload": spec.dense.output.width, "words": 32}
    return widths.get(name, 1 << 16)


def redundancy(receiver: Receiver, chip: FlipBench, n_events: int, n_bits: int | None = None) -> Redundancy:
    """Flip one or two copies of stored bits in the redundant RTL, and compare with the emulator.

    `n_bits`: number of evenly chosen stored bits; None takes all. Raises InputError if the frames with two wrong copies
    of a weight bit differ from those of the emulator with this bit flipped.
    """
    calq, weights = receiver.calq[:n_events], receiver.weights
    trace = encode(weights, calq, keep=["output_code", "module_sum"])
    sum_code = FINE_SUM.encode(trace["module_sum"])
    plain, total = chip.clean(calq), 8 * len(chip.stored)
    bits = np.unique(np.linspace(0, total - 1, n_bits or total).astype(int))
    found = chip.voted_flips(calq, bits.tolist())
    compared = 0
    position = {int(bit): k for k, bit in enumerate(bits)}
    for block in weight_flips(weights, calq):
        for m, bit in enumerate(block.bits.tolist()):
            if bit not in position:
                continue
            outputs = trace["output_code"].copy()
            outputs[:, block.outputs] = block.output_code[m]
            frames = found.both[position[bit]]
            expected = frames_of(weights, outputs, sum_code)
            wrong = np.flatnonzero((frames[:, :-1] != expected[:, : frames.shape[1] - 1]).any(axis=1))
            if len(wrong):
                raise InputError(f"weight bit {bit}, event {wrong[0]}: the RTL sends {frames[wrong[0], :-1].tolist()}, "
                                 f"the emulator {expected[wrong[0]].tolist()}")
            compared += len(frames)
    return Redundancy(
        n_bits=len(bits), n_events=len(calq),
        frames_changed_by_one_copy=int((found.one != plain).any(axis=2).sum()),
        frames_changed_by_another_copy_after_scrubbing=int((found.other != plain).any(axis=2).sum()),
        bits_that_change_frames_with_two_copies_wrong=int((found.both != plain).any(axis=(1, 2)).sum()),
        frames_equal_to_emulator_with_two_copies_wrong=compared)


def wrong_vote(upsets_per_copy: Float64Array | float) -> Float64Array:
    """Probability that a vote of three copies is wrong at the end of a scrubbing period.

    `upsets_per_copy` is the mean number of flips of one copy of the bit per period (Poisson). A copy is wrong after an
    odd number of flips; the vote is wrong if two or three copies are.
    """
    p: Float64Array = -np.expm1(-2 * np.asarray(upsets_per_copy, dtype=np.float64)) / 2
    return p * p * (3 - 2 * p)


def accumulation(n_bits: int, upsets_per_hour: float, periods: Sequence[float]) -> Accumulation:
    """Wrong votes per day vs. the scrubbing period in seconds, for `upsets_per_hour` in `n_bits` flip-flops."""
    rate = upsets_per_hour / 3600 / n_bits
    return Accumulation(n_bits=n_bits, upsets_per_hour=upsets_per_hour, periods=tuple(
        ScrubbingPeriod(period_s=period, wrong_votes_per_day=float(n_bits * wrong_vote(rate * period) * 86400 / period))
        for period in periods))


def ranking(bits: Sequence[RegisterUpsets], n: int) -> tuple[RankedBit, ...]:
    """Find the `n` bits of each kind that change the EMD most."""
    found: list[RankedBit] = []
    for kind in dict.fromkeys(one.kind for one in bits):
        known = [(one, one.effects, k) for one in bits if one.kind == kind and one.effects
                 for k in range(len(one.place))]
        known.sort(key=lambda bit: -bit[1].emd_change[bit[2]])
        found += [RankedBit(kind=kind, name=one.label(k), **{name: values[k] for name, values in effects})
                  for one, effects, k in known[:n]]
    return tuple(found)
