"""Results of the RTL side.

rtl_*.json of `econ-t rtl synth` and `activity`, constant.json of `constant` and `decoder`, reloadable.json
of `decoder`, placed_*.json of `place`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, computed_field

from models.errors import InputError
from models.hardware import Implementation
from models.notebook import html_table
from models.result import Result, Rounded

Positive = Annotated[int, Field(ge=1)]
RELOADABLE_FILE = "reloadable.json"
"""Of a decoder whose weights can be reloaded, in its project."""


class Design(Result):
    """What was chosen to build the encoder block."""

    digest: str
    """Of the spec."""
    architecture: Literal["parallel", "folded"]
    fold: Positive
    interval_clocks: Positive
    """From event to event."""
    latency_clocks: int
    """From charges to words."""
    redundant: bool
    """Registers in three copies."""
    pipelined: bool = False
    """More registers than the folded encoder needs."""


class MappedDesign(Result):
    """What a folder of netlists was made from; other blocks than that of the encoder have no choices."""

    technology: str
    design: Design | None

    def check_same(self, technology: str, design: Design | None, path: Path) -> None:
        """Raise InputError, naming `path`, unless the netlists are those of this design in this technology."""
        for key, wanted in {"technology": technology, **dict(design or ())}.items():
            given = getattr(self if key == "technology" else self.design, key, None)
            if given != wanted:
                raise InputError(f"{path}: {key} {given}, expected {wanted}")


class Resources(Result):
    """Cells by kind; None for kinds that a technology does not have."""

    lut: int | None = None
    ff: int | None = None
    carry: int | None = None
    nand2: int | None = None
    area_um2: int | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The kinds that the technology has."""
        return {name: n for name, n in self if n is not None}

    @classmethod
    def total(cls, parts: Iterable[tuple[int, Resources]]) -> Resources:
        """The sum of all parts, each as often as its number says."""
        counts: dict[str, int] = {}
        for times, part in parts:
            for name, n in part.counts.items():
                counts[name] = counts.get(name, 0) + times * n
        return cls(**counts)


class BlockResult(Result):
    """What one definition takes, without the blocks placed in it."""

    block: str
    instances: int
    resources: Resources
    levels: int
    """Gates or look-up tables on the longest path between registers or ports."""


class Synthesis(Result):
    """A whole design in one technology, by a tool of a version."""

    technology: str
    tool: str
    blocks: tuple[BlockResult, ...]
    levels: int
    """Longest path of an event through the whole design; see `rtl.mapping.timing`."""
    memory_bits: int
    """Bits in memories; registers are flip-flops and not among them."""
    register_bits: int
    """Flip-flops of the registers that the bus writes, with their copies."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> Resources:
        """Cells of the whole design."""
        return Resources.total((row.instances, row.resources) for row in self.blocks)

    def __repr__(self) -> str:
        counts = ", ".join(f"{number:,} {name}" for name, number in self.total.counts.items())
        return f"<{type(self).__name__} for {self.technology}: {counts}, {self.levels} levels>"

    def _repr_html_(self) -> str:
        names = list(self.total.counts)
        rows = [(row.block, row.instances, *(row.resources.counts.get(name, "") for name in names), row.levels)
                for row in self.blocks]
        return html_table(f"{self.technology}, by {self.tool}", ("block", "instances", *names, "levels"), rows)


class Energy(Result):
    """Dynamic energy per event in pJ in the cells of a library, without wires, clock tree and glitches."""

    volts: float
    by_block_pj: dict[str, float]
    """Of changes of gates and flip-flops."""
    clock_pins_pj: float
    register_clock_pins_pj: float
    """Of the registers that the bus writes: without a gated clock."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total_pj(self) -> float:
        """Everything."""
        return sum(self.by_block_pj.values()) + self.clock_pins_pj + self.register_clock_pins_pj


class Activity(Result):
    """Means per event; a change is one of the output of one gate or flip-flop."""

    events: int
    changes: float
    """Of all gates and flip-flops but the registers that the bus writes, which stay."""
    flip_flop_changes: float
    clocked_flip_flops: int
    """Clock pins that see an edge: flip-flops, those of the registers too, times clocks per event."""
    changes_per_net_and_clock: float
    by_block: dict[str, float]
    energy: Energy | None = None
    """For standard cells."""


class PathPart(Result):
    """A station of a critical path."""

    block: str
    """Instance, from the top of the encoder block down."""
    cells_ns: float
    wires_ns: float
    """On the way to its cells."""


class StageTiming(Result):
    """The slowest path of an event to one register."""

    register_name: str
    """Instance and register."""
    bits: int
    slack_ns: float
    cells: int
    buffers: int
    """Among the cells."""
    path: tuple[PathPart, ...]
    """Without wires: their times are 0."""


class StaticTiming(Result):
    """Static timing of a design in standard cells, without wires."""

    tool: str
    library: str
    clock_ns: float
    fan_out: int
    """Pins that a cell drives at most; more are behind buffers."""
    buffers: int
    stages: tuple[StageTiming, ...]

    @property
    def shortest_clock_ns(self) -> float:
        """The period at which the slowest register has no slack."""
        return self.clock_ns - min(stage.slack_ns for stage in self.stages)


class ChipSynthesis(Synthesis, Design):
    """The encoder block in one technology."""

    levels: Positive
    activity: Activity | None = None
    static_timing: StaticTiming | None = None
    made_from: str | None = None
    """Digest of all that the counts depend on, where they are kept to be used again."""
    seconds: int | None = None
    """How long the mapping took."""


class ConstantSynthesis(Result):
    """Layers with weights as constants: the two of an encoder, or those of a compact decoder."""

    digest: str
    """Of the encoder's spec, whose weights are beside the file, or of the compact decoder."""
    stages: int
    implementations: tuple[Implementation, ...]


class ReloadableDesign(Result):
    """A compact decoder whose weights can be reloaded."""

    digest: str
    """Of its spec: any weights of these shapes and formats can be loaded."""
    interval_clocks: Positive
    """From module to module."""
    latency_clocks: Positive
    """From a module's fields to its first charge; the others follow one in a clock."""
    multipliers: Positive
    memory_bits: Positive


class Utilisation(Result):
    """Cells of a device: used and available."""

    lut: int
    """Each with four inputs; a carry of two bits takes two."""
    lut_available: int
    ff: int
    ff_available: int
    dsp: int = 0
    """Multipliers of 18 x 18 bits."""
    dsp_available: int = 0
    bram: int = 0
    """Memories of 18 kbit."""
    bram_available: int = 0
    pins: int
    pins_available: int


class PlacedSeed(Result):
    """One place and route."""

    seed: int
    fmax_mhz: Rounded
    """After routing."""
    critical_path: tuple[PathPart, ...]
    seconds: Rounded


class Placement(Result):
    """A routed design, with a number of seeds of the placer."""

    made_from: str
    """Digest of the RTL, the versions of the tools and their options."""
    name: str
    digest: str
    """Of the spec, or of the compact decoder."""
    design: Design | None
    """Of the encoder block."""
    device: str
    tool: str
    target_mhz: float
    levels: Positive
    """Cells on the longest path of the mapped netlist, as in `Synthesis`."""
    interval_clocks: Positive
    latency_clocks: Positive
    utilisation: Utilisation
    synthesis_seconds: Rounded
    seeds: tuple[PlacedSeed, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def fmax_mhz(self) -> float:
        """Median over the seeds."""
        return statistics.median(seed.fmax_mhz for seed in self.seeds)

    @property
    def spread_mhz(self) -> tuple[float, float]:
        """The slowest and the fastest seed."""
        found = [seed.fmax_mhz for seed in self.seeds]
        return min(found), max(found)

    @property
    def events_per_second(self) -> float:
        """Back to back, at the median of the clocks."""
        return 1e6 * self.fmax_mhz / self.interval_clocks

    def factor(self, level_ns: float) -> float:
        """Measured period over that of `levels` of this many nanoseconds each, without wires."""
        return 1000 / self.fmax_mhz / (self.levels * level_ns)
