"""Flips of register bits inside the compiled RTL: their effect on frames, and whether three copies with a vote stop it.

The model is the Verilog with redundant registers. One wrong copy is a flip with redundancy; the same bit wrong in two
copies outvotes the third and is a flip without redundancy. Here, a frame consists of the words of the links in use,
followed by the chip's flag that they are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.errors import InputError
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from rtl.design import encoder, formatter
from rtl.design.chip import AutoencoderChip
from rtl.simulation.bench import Bench, format_writes, weight_writes
from rtl.simulation.simulate import Records, Simulation
from rtl.simulation.upsets import Register, flips, registers

_LATENCY = encoder.LATENCY + formatter.LATENCY
_COPIES = ("copy_a", "copy_b", "copy_c")
_WINDOW = 12
"""Number of events around a single flip: covers its frame, the frames before and some after it."""
_CLOCKS_PER_RUN = 1 << 16
_BUILD_SECONDS = 3600  # 1 to 2 minutes on an idle machine of two cores


@dataclass(frozen=True)
class StoredByte:
    """A byte of the register map: its address and the register numbers of its three copies."""

    address: int
    copies: tuple[int, ...]


@dataclass(frozen=True)
class Voted:
    """Frames with one bit flipped in copies x and y, (bits, n, links + 1) each.

    one: x is wrong; other: y is wrong, after the copies were scrubbed; both: x is wrong again, so that two are.
    """

    one: IntArray
    other: IntArray
    both: IntArray


@dataclass(frozen=True)
class FlipBench:
    """Compiled chip with its weights loaded, ready for flips."""

    bench: Bench
    registers: tuple[Register, ...]
    weights: EncoderWeights

    @classmethod
    def build(cls, weights: EncoderWeights, folder: Path) -> FlipBench:
        """Compile the RTL of the weights' encoder into `folder`; raises ToolMissing without Verilator."""
        top = AutoencoderChip(weights.spec, redundant=True)
        found = registers(top)
        return cls(Bench(top, Simulation.build(top, folder, _BUILD_SECONDS, found)), tuple(found), weights)

    @property
    def spec(self) -> EncoderSpec:
        """Encoder that the weights are for."""
        return self.weights.spec

    @cached_property
    def pipeline(self) -> list[int]:
        """Numbers of the registers that hold events in flight."""
        copied = {number for byte in self.stored for number in byte.copies}
        return [number for number in range(len(self.registers)) if number not in copied]

    @cached_property
    def stored(self) -> list[StoredByte]:
        """Bytes of the register map in the order of their addresses: weights, mask, number of links."""
        file = self.bench.top.register_file
        found = []
        for span in (*file.weight_spans, file.mask_span, file.links_span):
            copies = [self._inside(f"{self.bench.top.module_name}.registers.{span.name}.{copy}.") for copy in _COPIES]
            found += [StoredByte(span.address + k, byte) for k, byte in enumerate(zip(*copies, strict=True))]
        return found

    def _inside(self, prefix: str) -> list[int]:
        """Numbers of the registers of one block, shorter names first, so that byte_2 precedes byte_10."""
        found = [k for k, register in enumerate(self.registers) if register.path.startswith(prefix)]
        return sorted(found, key=lambda k: (len(self.registers[k].path), self.registers[k].path))

    @cached_property
    def _setup(self) -> Records:
        return np.concatenate([self.bench.writing(weight_writes(self.weights)),
                               self.bench.writing(format_writes(self.spec.ae_mask, self.spec.n_elinks))])

    def clean(self, calq: IntArray) -> IntArray:
        """Frames without any flip, (n, links + 1); the first event starts an orbit."""
        return self._run(self._events(calq), len(calq), [[]])[0, : len(calq)]

    def lasting(self, calq: IntArray) -> npt.NDArray[np.bool_]:
        """Which frames change by a single flip of each bit of the pipeline, (bits, window), in the order of `bits()`.

        calq: charges of at least as many modules as a window has events. The flip happens in the middle of the window;
        the next window starts an orbit. Raises InputError for fewer modules.
        """
        if len(calq) < _WINDOW:
            raise InputError(f"{len(calq)} modules with a cell above one transverse MIP, expected at least {_WINDOW}")
        window = self._events(calq[:_WINDOW])[:_WINDOW]
        middle = _WINDOW // 2
        found = self._run(window, _WINDOW, [[(middle, *bit)] for bit in self.bits()])
        changed: npt.NDArray[np.bool_] = (found != self._run(window, _WINDOW, [[]])).any(axis=2)
        return changed

    def bits(self) -> list[tuple[int, int]]:
        """All bits of the pipeline: (register, bit)."""
        return [(number, bit) for number in self.pipeline for bit in range(self.registers[number].width)]

    def pipeline_flips(self, calq: IntArray, bits: Sequence[tuple[int, int]]) -> IntArray:
        """Frames (bits, n, links + 1) where each event passes the register while the bit is flipped."""
        segment = self._events(calq)
        each_clock = range(len(segment))
        found = self._run(segment, len(segment), [[(clock, *bit) for clock in each_clock] for bit in bits])
        return found[:, : len(calq)]

    def stored_flips(self, calq: IntArray, bits: Sequence[int]) -> IntArray:
        """Frames (bits, n, links + 1) with one stored bit wrong; 8 k + b is bit b of byte k of `stored`."""
        events = self._events(calq)
        segment = np.concatenate([self._gap, events])
        start, end = 0, len(segment) - 1
        changes = [[(clock, copy, bit % 8) for clock in (start, end) for copy in self.stored[bit // 8].copies[:2]]
                   for bit in bits]
        return self._run(segment, len(segment), changes)[:, len(self._gap) : len(self._gap) + len(calq)]

    def voted_flips(self, calq: IntArray, bits: Sequence[int]) -> Voted:
        """Frames with one copy wrong, another one after scrubbing, and two at once; copies rotate from bit to bit."""
        events, gap, n = self._events(calq), self._gap, len(calq)
        refresh = gap.copy()
        refresh["refresh"][0] = 1
        parts = [gap, events, refresh, gap, events, gap, events]
        first_flip, second_flip, third_flip = (sum(map(len, parts[:k])) for k in (0, 3, 5))
        segment = np.concatenate(parts)
        changes = []
        for bit in bits:
            copies = self.stored[bit // 8].copies
            x, y = copies[bit % 3], copies[(bit + 1) % 3]
            at = [(first_flip, x), (second_flip, y), (third_flip, x), (len(segment) - 1, x), (len(segment) - 1, y)]
            changes.append([(clock, copy, bit % 8) for clock, copy in at])
        found = self._run(segment, len(segment), changes)
        starts = (first_flip + len(gap), second_flip + len(gap), third_flip + len(gap))
        return Voted(*(found[:, start : start + n] for start in starts))

    @property
    def _gap(self) -> Records:
        """Clock cycles without events, in which registers may change."""
        return self.bench.simulation.idle(_LATENCY)

    def _events(self, calq: IntArray) -> Records:
        """Events from the start of an orbit, and clock cycles until the last one has left."""
        return np.concatenate([self.bench.events(calq, orbit_start=0), self.bench.simulation.idle(_LATENCY)])

    def _run(self, segment: Records, n: int, changes: Sequence[Sequence[tuple[int, int, int]]]) -> IntArray:
        """Frames (segments, n, links + 1) of the events at the first `n` clock cycles of a repeated segment.

        Each repetition has its own `changes`: (clock cycle in the segment, register, bit).
        """
        folder = self.bench.simulation.program.parent
        per_run = max(_CLOCKS_PER_RUN // len(segment), 1)
        found = []
        for begin in range(0, len(changes), per_run):
            part = changes[begin : begin + per_run]
            first = len(self._setup)
            clocks = np.concatenate([self._setup, np.tile(segment, len(part)), self._gap])
            rows = np.array([(first + k * len(segment) + clock, register, bit)
                             for k, one in enumerate(part) for clock, register, bit in one], dtype=np.int64)
            outputs = self.bench.simulation.run(clocks, folder, flips=flips(*rows.reshape(-1, 3).T))
            count = len(part) * len(segment)
            leaving = slice(first + _LATENCY, first + _LATENCY + count)
            words = self.bench.etx(outputs)[leaving, : self.spec.n_elinks]
            valid = outputs["etx_valid"][leaving]
            found.append(np.hstack([words, valid]).reshape(len(part), len(segment), -1)[:, :n])
        return np.concatenate(found)
