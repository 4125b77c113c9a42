"""Results of the RTL side.

rtl_*.json of `econ-t rtl synth` and `activity`, constant.json of `constant` and `decoder`, placed_*.json of `place`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, computed_field

from models.hardware import Implementation
from models.notebook import html_table
from models.result import Result, Rounded

Positive = Annotated[int, Field(ge=1)]


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


class ChipSynthesis(Synthesis, Design):
    """The encoder block in one technology."""

    levels: Positive
    activity: Activity | None = None
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


class PathPart(Result):
    """A station of a critical path."""

    block: str
    """Instance, from the top of the encoder block down."""
    cells_ns: float
    wires_ns: float
    """On the way to its cells."""


class Utilisation(Result):
    """Cells of a device: used and available."""

    lut: int
    """Each with four inputs; a carry of two bits takes two."""
    lut_available: int
    ff: int
    ff_available: int
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
