"""Result of a trigger study: trigger.json of `econ-t trigger run`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import model_validator
from typing_extensions import Self

from models.notebook import html_table
from models.result import Result, Rounded, RoundedOrNone

COLLISIONS_KHZ = 2760 * 11.2455
"""Bunch crossings with collisions per second, in kHz: 2,760 of 3,564 in each orbit of 11.2455 kHz."""


class Measured(Result):
    """A value and its bootstrap error; None where there is nothing to measure."""

    value: RoundedOrNone
    error: RoundedOrNone

    def times(self, factor: float) -> Measured:
        """The same in another unit."""
        return Measured(value=None if self.value is None else factor * self.value,
                        error=None if self.error is None else factor * self.error)

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        return f"{self.value:.3f}" + ("" if self.error is None else f" ± {self.error:.3f}")


class Binned(Result):
    """A quantity in bins of a coordinate."""

    coordinate: Literal["pt", "eta", "energy"]
    edges: tuple[Rounded, ...]
    values: tuple[Measured, ...]

    @property
    def middles(self) -> tuple[float, ...]:
        """Middle of each bin."""
        return tuple((low + high) / 2 for low, high in zip(self.edges, self.edges[1:], strict=False))


class ObjectResult(Result):
    """Clusters or jets that belong to generated ones.

    Response: median of the reconstructed over the generated transverse momentum. Resolution: half of the narrowest
    interval with 68.3% of the response, over the median. The same interval, not divided, for eta and phi.
    """

    n_generated: int
    efficiency: Measured
    """Share of the generated ones above `least_pt` that have a match."""
    least_pt: Rounded
    response: Measured
    resolution: Measured
    eta: Measured
    phi: Measured
    sampling: Measured
    """Sampling term of the energy resolution, times the square root of 1 GeV; it is added to `constant` in squares."""
    constant: Measured
    response_bins: tuple[Binned, ...]
    resolution_bins: tuple[Binned, ...]

    def binned(self, coordinate: str, of: Literal["response", "resolution"] = "resolution") -> Binned:
        """Resolution (or response) vs. `pt`, `eta` or `energy`."""
        return next(one for one in (self.response_bins if of == "response" else self.resolution_bins)
                    if one.coordinate == coordinate)


class RateCurve(Result):
    """Share of ordinary bunch crossings with an object above each threshold in GeV.

    The objects are clusters or jets, calibrated as those of the sample.
    """

    thresholds: tuple[Rounded, ...]
    rates: tuple[Measured, ...]


class WorkingPoint(Result):
    """Threshold that gives a rate, and what it costs: the efficiency of the sample, and vs. transverse momentum."""

    rate: Rounded
    """Share of bunch crossings."""
    threshold: Measured
    efficiency: Measured
    turn_on: Binned


class Identification(Result):
    """Boosted tree that tells clusters of the sample from those of pile-up: its ROC curve."""

    signal: tuple[Rounded, ...]
    """Efficiencies for the sample."""
    background: tuple[Rounded, ...]
    """Efficiencies for pile-up at the same cuts."""
    area: Measured
    background_at_95: Measured
    """Pile-up that passes where 95% of the sample do."""


class Shape(Result):
    """Mean of a shape of clusters above 10 GeV; layers count from 1, the width is in (x/z, y/z).

    The length is from the first to the last layer, the core the longest run of trigger layers.
    """

    name: Literal["first_layer", "core", "length", "width"]
    signal: Measured
    """Of the clusters of the sample."""
    background: Measured | None
    """Of those of pile-up; None without pile-up."""


class LinkUse(Result):
    """What a system sends."""

    modules: dict[str, int]
    """Modules of one endcap, by algorithm and number of links, such as `BC, 3 links`."""
    mean_links: Rounded
    """Links per module; where some modules need no chip, of the others."""
    bits: Rounded
    """Bits per such module and bunch crossing, without filling."""
    occupancy: Rounded
    """Share of the bits of all links."""
    cut: Rounded
    """Share of the frames that output buffers truncate."""
    charge: Rounded
    """Share of the charge that arrives."""


class SampleResult(Result):
    """Results of a system on a sample."""

    sample: str
    links: LinkUse
    clusters_per_event: Rounded
    objects: ObjectResult | None
    rates: RateCurve | None = None
    working_points: tuple[WorkingPoint, ...] = ()
    identification: Identification | None = None
    shapes: tuple[Shape, ...] = ()
    """Of single particles."""


class Difference(Result):
    """A system minus the first one on the same events."""

    sample: str
    quantity: str
    system: str
    difference: Measured
    tie: bool
    """Within three errors of zero."""


class SystemResult(Result):
    """Results of a system on all samples."""

    name: str
    file: str
    digest: str
    weights: dict[str, str]
    """Digests of trained encoders, by name of their run."""
    samples: tuple[SampleResult, ...]

    def on(self, sample: str) -> SampleResult:
        """Results on a sample."""
        return next(one for one in self.samples if one.sample == sample)


class DisplayCells(Result):
    """Cells of one endcap summed over layers in bins of x/z and y/z, and the clusters found."""

    system: str
    x: tuple[Rounded, ...]
    y: tuple[Rounded, ...]
    charge: tuple[Rounded, ...]
    """Transverse MIP."""
    clusters: tuple[tuple[Rounded, Rounded, Rounded], ...]
    """x/z, y/z and transverse momentum in GeV, before calibration."""


class EventDisplay(Result):
    """One endcap of one event, as each system shows it."""

    sample: str
    event: int
    endcap: int
    truth: tuple[tuple[Rounded, Rounded, Rounded], ...]
    """x/z, y/z and transverse momentum in GeV of the generated particles."""
    systems: tuple[DisplayCells, ...]


class TriggerStudy(Result):
    """All systems on the same events."""

    indent: ClassVar[int | None] = None

    pile_up: Rounded
    n_events: int
    seed: int
    samples: tuple[str, ...]
    systems: tuple[SystemResult, ...]
    differences: tuple[Difference, ...]
    displays: tuple[EventDisplay, ...] = ()

    def __repr__(self) -> str:
        systems = ", ".join(one.name for one in self.systems)
        samples = ", ".join(self.samples)
        return f"<TriggerStudy of {self.n_events:,} events of {samples} with {self.pile_up:g} pile-up: {systems}>"

    def _repr_html_(self) -> str:
        titles = ("sample", "system", "links", "response", "resolution", "efficiency")
        rows = [(sample, one.name, f"{one.on(sample).links.mean_links:.2f}", str(found.response), str(found.resolution),
                 str(found.efficiency)) for sample in self.samples for one in self.systems
                if (found := one.on(sample).objects)]
        return html_table(f"{self.n_events:,} events with {self.pile_up:g} pile-up", titles, rows)

    def records(self) -> list[dict[str, Any]]:
        """A flat record for each system on each sample: what it sends, and each quantity with its error.

        `threshold`, in GeV, and `efficiency_at_rate` are those of the last working point, whose share of bunch
        crossings is `rate`; `matched` is the share of generated objects with a match.
        """
        return [_record(sample, system) for sample in self.samples for system in self.systems]

    def system(self, name: str) -> SystemResult:
        """System of this name; raises KeyError with all names if there is none."""
        found = {one.name: one for one in self.systems}
        if name not in found:
            raise KeyError(f"{name}: expected one of {', '.join(found)}")
        return found[name]

    def is_of(self, weights: str) -> bool:
        """Whether a system has an encoder of this digest; true for a study without any."""
        digests = {digest for one in self.systems for digest in one.weights.values()}
        return not digests or weights in digests

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.systems:
            raise ValueError("no system")
        for one in self.systems:
            missing = next((name for name in self.samples if name not in [part.sample for part in one.samples]), None)
            if missing:
                raise ValueError(f"system {one.name}: sample {missing} is missing")
        return self


def _record(sample: str, system: SystemResult) -> dict[str, Any]:
    here = system.on(sample)
    point, objects, roc = (here.working_points or (None,))[-1], here.objects, here.identification
    measured = {
        "matched": objects and objects.efficiency, "response": objects and objects.response,
        "resolution": objects and objects.resolution, "eta": objects and objects.eta, "phi": objects and objects.phi,
        "threshold": point and point.threshold, "efficiency_at_rate": point and point.efficiency,
        "roc_area": roc and roc.area}
    values = {f"{name}{end}": getattr(one, kind, None) for name, one in measured.items()
              for end, kind in (("", "value"), ("_error", "error"))}
    return ({"sample": sample, "system": system.name} | here.links.model_dump(exclude={"modules"})
            | {"clusters_per_event": here.clusters_per_event, "rate": point and point.rate} | values)


class ListedSystem(Result):
    """A system of this project, as `econ-t trigger systems` lists it."""

    name: str
    """What `--system` takes."""
    title: str
    links: str
    """What the number of links of a module follows from: `layers`, or a list of modules."""
    rules: tuple[dict[str, Any], ...]
    """As in the file of the system, the first that fits a module is taken; null is what a rule does not ask for."""
    clusters: dict[str, Any]
    """Settings of clusters, also those that are not in the file."""
    layer_weights: str
