"""Stimuli for the top level: register writes and events as arrays of clocks, and its outputs as arrays of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.chip import LINK_BITS
from models.trigger_cells import CALQ_BITS
from models.weights import EncoderWeights
from rtl.design.chip import AutoencoderChip
from rtl.design.registers import ADDRESS_BITS, LINKS, MASK, Span, weight_counts, weight_spans
from rtl.simulation.simulate import Records, Simulation, pack, unpack

Writes = Iterable[tuple[int, bytes]]
"""Writes to consecutive registers: (first address, bytes)."""


def weight_writes(weights: EncoderWeights) -> Writes:
    """Writes that load the weights."""
    spec = weights.spec
    counts = weight_counts(spec)
    ends = np.cumsum(list(counts.values()))
    bits = [
        (codes[:, None] >> np.arange(spec.weight_formats[name].width) & 1).astype(np.uint8).ravel()
        for name, codes in zip(counts, np.split(weights.flat, ends[:-1]), strict=True)
    ]
    data = np.packbits(np.concatenate(bits), bitorder="little").tobytes()
    for span in weight_spans(spec):
        size = len(span.reset)
        yield span.address, data[:size]
        data = data[size:]


def format_writes(mask: int, n_links: int) -> Writes:
    """Writes that set the output mask and the number of links."""
    mask_span, links_span = Span.of(*MASK), Span.of(LINKS)
    yield mask_span.address, mask.to_bytes(len(mask_span.reset), "little")
    yield links_span.address, bytes([n_links << 4])


@dataclass(frozen=True)
class Bench:
    """A compiled top level with the shapes of its ports."""

    top: AutoencoderChip
    simulation: Simulation

    def writing(self, writes: Writes) -> Records:
        """Clocks that write registers, one byte per clock."""
        addresses: list[int] = []
        data = b""
        for address, content in writes:
            addresses += range(address, address + len(content))
            data += content
        clocks = self.simulation.idle(len(addresses))
        clocks["write"] = 1
        clocks["address"] = pack(addresses, ADDRESS_BITS, clocks["address"].shape[1])
        clocks["data"][:, 0] = np.frombuffer(data, np.uint8)
        return clocks

    def events(self, calq: IntArray, orbit_start: int | None = None) -> Records:
        """Clocks with an event whenever the block takes one: calq (n, 48) -> n * interval clocks.

        Event number `orbit_start` starts an orbit.
        """
        interval = self.top.interval
        clocks = self.simulation.idle(interval * len(calq))
        clocks["valid"][::interval] = 1
        clocks["calq"][::interval] = pack(calq, CALQ_BITS, clocks["calq"].shape[1])
        if orbit_start is not None:
            clocks["orbit_start"][interval * orbit_start] = 1
        return clocks

    def etx(self, outputs: Records) -> npt.NDArray[np.int64]:
        """Link words at each clock, (n, links)."""
        field = outputs["etx"]
        return unpack(field, LINK_BITS, 8 * field.shape[1] // LINK_BITS)

    def stages(self, outputs: Records, first: int, n: int) -> dict[str, npt.NDArray[np.int64]]:
        """Stages of `n` consecutive events, the first of which is at the input in clock `first`."""
        spec = self.top.spec
        shapes = {"image_code": (spec.input.width, self.top.image_code.shape().length),
                  "hidden_code": (spec.conv.output.width, self.top.hidden_code.shape().length),
                  "output_code": (spec.dense.output.width, self.top.output_code.shape().length)}
        taken = first + self.top.interval * np.arange(n)
        return {name: np.concatenate([unpack(outputs[name][taken + clock], *shape)
                                      for clock in self.top.observed[name]], axis=1)
                for name, shape in shapes.items()}

    def frames(self, outputs: Records, first: int, n: int) -> npt.NDArray[np.int64]:
        """Frames of `n` consecutive events as link words; the first is at the input in clock `first`."""
        return self.etx(outputs)[first + self.top.latency + self.top.interval * np.arange(n)]
