"""Switching activity of a mapped design on events: a measure of dynamic power that needs no cell library.

Energy goes into changing nets and into the clock pins of flip-flops. Both are counted per event, with events back to
back at the design's interval, in the netlist whose gates `econ-t rtl synth` counts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from models.arrays import IntArray
from models.errors import InputError
from models.trigger_cells import CALQ_BITS
from models.weights import EncoderWeights
from models.wording import counted
from rtl.design.chip import AutoencoderChip
from rtl.mapping.energy import energy
from rtl.mapping.fan_out import buffered_design
from rtl.mapping.gates import GateSimulation, Netlist
from rtl.mapping.liberty import Library
from rtl.mapping.synthesis import DESIGN_FILE, OSU018
from rtl.results import Activity, MappedDesign
from rtl.simulation.bench import format_writes, weight_writes


class GateBench:
    """The netlist of a chip with loaded registers, and streams of events through it."""

    def __init__(
        self, top: AutoencoderChip, netlists: Path, weights: EncoderWeights, n_words: int = 4, technology: str = "gates"
    ) -> None:
        """Load the netlists of `top`; raises InputError if they are of another design or technology.

        Standard cells (osu018) get buffers where a net drives many pins.

        The registers are not simulated: their outputs are the given weights and the mask and links of the spec.
        """
        self.top = top
        MappedDesign.load(netlists / DESIGN_FILE).check_same(technology, top.describe(), netlists / DESIGN_FILE)
        registers = top.register_file
        with tempfile.TemporaryDirectory() as folder:
            if technology != "gates":
                buffered_design(top, netlists, Path(folder))
                netlists = Path(folder)
            self.netlist = Netlist.load(netlists, top.module_name, [registers.module_name])
        self.simulation = GateSimulation(self.netlist, n_words)
        mask, links = (data for _, data in format_writes(top.spec.ae_mask, top.spec.n_elinks))
        contents = {"weights": b"".join(data for _, data in weight_writes(weights)), "mask": mask,
                    "n_links": bytes([links[0] >> 4])}
        for port, nets in self.netlist.left_out["registers"].items():
            if port in contents:
                bits = np.unpackbits(np.frombuffer(contents[port], np.uint8), bitorder="little")
                self.simulation.drive(nets, np.resize(bits.astype(bool), len(nets))[None])

    @property
    def n_streams(self) -> int:
        """Streams that are simulated at once."""
        return 64 * int(self.simulation.values.shape[1])

    def run(self, calq: IntArray, n_filling: int) -> IntArray:
        """Run events (streams, events, 48) back to back; returns output codes (streams, events, outputs).

        Changes are counted from event `n_filling` on; charges stay at the port until the next event.
        """
        simulation, top = self.simulation, self.top
        interval, delay = top.interval, top.observed["output_code"][0]
        bits = calq[..., None] >> np.arange(CALQ_BITS) & 1
        streams = bits.reshape(*calq.shape[:2], -1).astype(bool)
        n_events, found = calq.shape[1], []
        high = np.ones((1, 1), dtype=bool)
        for clock in range(n_events * interval + delay):
            event = min(clock // interval, n_events - 1)
            if clock == n_filling * interval:
                simulation.clear()
            if clock == n_events * interval:
                self.counted = simulation.toggles.copy()
            simulation.settle({"calq": streams[:, event], "valid": high})
            if clock >= delay and (clock - delay) % interval == 0:
                found.append(simulation.read("output_code"))
            simulation.edge()
        width = top.spec.dense.output.width
        codes = np.stack(found, axis=1).reshape(*calq.shape[:2], -1, width)
        return codes @ (1 << np.arange(width))


def measure(
    top: AutoencoderChip, netlists: Path, weights: EncoderWeights, calq: IntArray, technology: str = "gates"
) -> Activity:
    """Activity, and for standard cells energy, on events (n, 48).

    They are split into streams of consecutive ones, the first of which fill the pipeline.

    The output codes are not checked here: a test shows that the netlists compute what the emulator computes, which this
    package must not import. Raises InputError if there are too few events.
    """
    bench = GateBench(top, netlists, weights, technology=technology)
    n_filling = -(-top.latency // top.interval)
    per_stream = len(calq) // bench.n_streams
    if per_stream <= n_filling:
        raise InputError(f"{counted(len(calq), 'event')}, expected at least {(n_filling + 1) * bench.n_streams:,}, to "
                         "fill the pipeline of each stream")
    bench.run(calq[: per_stream * bench.n_streams].reshape(bench.n_streams, per_stream, -1), n_filling)
    netlist, toggles = bench.netlist, bench.counted
    n_events = bench.n_streams * (per_stream - n_filling)
    driven = netlist.owner >= 0
    by_block = np.bincount(netlist.owner[driven], toggles[driven], minlength=len(netlist.blocks)) / n_events
    n_flip_flops = len(netlist.flip_flops) + top.register_file.n_bits
    return Activity(
        events=n_events,
        changes=float(by_block.sum()),
        flip_flop_changes=float(toggles[netlist.flip_flops[:, 1]].sum() / n_events),
        clocked_flip_flops=n_flip_flops * top.interval,
        changes_per_net_and_clock=float(by_block.sum() / driven.sum() / top.interval),
        by_block=dict(zip(netlist.blocks, by_block.tolist(), strict=True)),
        energy=energy(netlist, toggles / n_events, Library.read(OSU018), top.interval, top.register_file.n_bits)
        if technology != "gates" else None,
    )
