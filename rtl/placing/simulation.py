"""Events through a routed netlist, from the pins of the harness and back to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.chip import LINK_BITS
from models.compact_decoder import CompactDecoder
from models.errors import InputError
from models.trigger_cells import CALQ_BITS, N_TRIGGER_CELLS
from models.weights import EncoderWeights
from rtl.constant.project import TOP, ConstantProject
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.design.decoder import ReloadableDecoder
from rtl.design.formatter import n_words
from rtl.placing.flow import seed_folder
from rtl.placing.harness import CHANNELS_PER_CLOCK, PORT_BITS, ConstantHarness, DecoderHarness, EncoderHarness
from rtl.placing.nextpnr import ROUTED_FILE
from rtl.placing.routed import write_verilog
from rtl.results import Placement
from rtl.simulation.bench import Bench, format_writes, weight_writes
from rtl.simulation.decoder import Fields, packed_fields, writing
from rtl.simulation.simulate import Records, Simulation, pack, ports_of, unpack

_TOP = "top"  # what nextpnr calls every design
_AROUND = 8  # clocks that the harness takes beside the block, at most


def routed_frames(
    result: Path, build: Path, weights: EncoderWeights, calq: IntArray, folder: Path, timeout_seconds: float = 3600
) -> IntArray:
    """Frames (n, words) of charges (n, 48) in image order, by a routed encoder block with these weights.

    It is the fastest seed of `result`, which `econ-t rtl place` wrote with the netlists in `build`, and is compiled in
    `folder`. Raises InputError for a result of anything else than the block of these weights.
    """
    placed = Placement.load(result)
    if placed.design is None:
        raise InputError(f"{result}: {placed.name}, expected an encoder block, as of econ-t rtl place --config")
    if placed.digest != weights.spec.digest():
        raise InputError(f"{result}: digest {placed.digest}, expected {weights.spec.digest()}, that of the encoder of "
                         "the weights")
    chip = AutoencoderChip(weights.spec, "fpga", placed.design.redundant, placed.design.fold, placed.design.pipelined)
    seed = max(placed.seeds, key=lambda one: one.fmax_mhz).seed
    simulation = _compiled(EncoderHarness(chip), seed_folder(build / placed.made_from, seed), folder, timeout_seconds)
    return frames(chip, simulation, weights, calq, folder, timeout_seconds)


def frames(
    chip: AutoencoderChip, simulation: Simulation, weights: EncoderWeights, calq: IntArray, folder: Path,
    timeout_seconds: float = 3600,
) -> IntArray:
    """The same by any model of the harness, from pins to pins."""
    bench = Bench(chip, simulation)
    idle = simulation.idle(_AROUND + chip.latency)
    outputs = simulation.run(np.concatenate([
        bench.writing(weight_writes(weights)), bench.writing(format_writes(chip.spec.ae_mask, chip.spec.n_elinks)),
        idle, _events(simulation, chip, calq), idle]), folder, timeout_seconds)
    words = unpack(outputs["word"][outputs["word_valid"][:, 0] == 1], LINK_BITS, 1)
    count = n_words(chip.spec.dense.outputs * chip.spec.dense.output.width)
    if words.size != count * len(calq):
        raise InputError(f"{simulation.program}: {words.size} words for {len(calq)} events, expected {count} each: a "
                         "netlist of another design")
    return words.reshape(len(calq), count)


def routed_codes(
    project: ConstantProject, routed: Path, input_code: IntArray, folder: Path, timeout_seconds: float = 3600
) -> npt.NDArray[np.int64]:
    """Output codes (n, outputs) of a project of constant layers, by its routed netlist, compiled in `folder`."""
    input_bits, output_bits = sum(project.input_bits), sum(wires for wires, _ in project.output_formats)
    harness = ConstantHarness(TOP, input_bits, output_bits)
    simulation = _compiled(harness, routed, folder, timeout_seconds)
    ways_in, ways_out = (-(-bits // PORT_BITS) for bits in (input_bits, output_bits))
    load = ways_in + 1 + project.latency  # with registers at the pins
    out = load + 2
    clocks = simulation.idle((out + ways_out) * len(input_code)).reshape(len(input_code), -1)
    given = project.packed(input_code, ways_in * PORT_BITS // 8)
    clocks["inputs"][:, :ways_in] = given.reshape(len(given), ways_in, -1)
    clocks["shift"][:, :ways_in] = 1
    clocks["load"][:, load] = 1
    found = simulation.run(clocks.reshape(-1), folder, timeout_seconds)["outputs"]
    return project.unpacked(found.reshape(*clocks.shape, -1)[:, out:].reshape(len(input_code), -1))


def routed_charges(
    decoder: ReloadableDecoder, routed: Path, weights: Sequence[CompactDecoder], fields: Fields, folder: Path,
    timeout_seconds: float = 3600,
) -> npt.NDArray[np.int64]:
    """Charge codes (decoders, n, 48) by the routed netlist in folder `routed`, each of `weights` loaded in turn."""
    simulation = _compiled(DecoderHarness(decoder), routed, folder, timeout_seconds)
    n, units, interval = len(fields[0]), decoder.spec.sizes[-1], decoder.interval
    bits = len(decoder.fields)
    shifts = -(-bits // PORT_BITS)
    modules = simulation.idle(shifts + n * interval + decoder.latency + units + _AROUND)
    given = packed_fields(decoder, fields, shifts * PORT_BITS // 8).reshape(n, shifts, -1)
    for shift in range(shifts):
        clocks = modules[shift : shift + n * interval : interval]
        clocks["inputs"], clocks["shift"] = given[:, shift], 1
    modules["valid"][shifts : shifts + n * interval : interval] = 1
    stimuli = [part for one in weights for part in (writing(decoder, simulation, one), modules)]
    outputs = simulation.run(np.concatenate(stimuli), folder, timeout_seconds)
    found = unpack(outputs["charge"][outputs["charge_valid"][:, 0] == 1], len(decoder.charge), 1)
    return found.reshape(len(weights), n, units)


def _compiled(harness: Block, routed: Path, folder: Path, timeout_seconds: float) -> Simulation:
    write_verilog(routed / ROUTED_FILE, folder / "routed.v")
    return Simulation.compile(["routed.v"], _TOP, ports_of(harness), folder, clocked=True,
                              timeout_seconds=timeout_seconds)


def _events(simulation: Simulation, chip: AutoencoderChip, calq: IntArray) -> Records:
    """An event as often as block and pins allow."""
    shifts = N_TRIGGER_CELLS // CHANNELS_PER_CLOCK
    interval = max(chip.interval, shifts)
    clocks = simulation.idle(interval * len(calq))
    by_clock = calq.reshape(len(calq), shifts, CHANNELS_PER_CLOCK)
    for shift in range(shifts):
        clocks["charges"][shift::interval] = pack(by_clock[:, shift], CALQ_BITS, clocks["charges"].shape[1])
        clocks["shift"][shift::interval] = 1
    clocks["valid"][shifts - 1 :: interval] = 1
    clocks["orbit_start"][shifts - 1 : shifts] = 1  # nothing where there is no event
    return clocks
