"""Result of comparing algorithms on the same modules: physics.json of `econ-t compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, computed_field, model_validator
from typing_extensions import Self

from models.chip import AlgorithmName
from models.notebook import html_table
from models.result import Result, Rounded, RoundedOrNone
from models.trigger_cells import CALQ_PER_MIPT, N_TRIGGER_CELLS
from models.wording import counted
from training.results.sample import Sample

N_HISTOGRAM_BINS = 48

_PerCell = Field(min_length=N_TRIGGER_CELLS, max_length=N_TRIGGER_CELLS)
_PerBin = Field(min_length=N_HISTOGRAM_BINS, max_length=N_HISTOGRAM_BINS)
_N_LATENTS = 16
_SHOWN_ALONE = ("emd", "energy_response", "occupancy_kept")  # metrics that the report refers to by name


class Options(Result):
    """Options of a comparison.

    Examples:
        >>> from training.physics import Options
        >>> Options(n_elinks=(2, 5)).thresholds  # of TS, in CALQ
        (47,)
    """

    n_elinks: Annotated[tuple[int, ...], Field(min_length=1)] = (2, 3, 4, 5)
    """Link budgets."""
    min_charge: float = CALQ_PER_MIPT
    dropped_bits: int = 0
    thresholds: tuple[int, ...] = (47,)
    """Thresholds of TS in CALQ; the published vectors use 47, 1.35 transverse MIP."""
    max_cut: float = 0.001
    """Fraction of its frames that the fitted TS may lose in its buffer."""
    n_resamples: int = 200
    seed: int = 1


class Metric(Result):
    """A metric, one value per module: its names, its best value, and the range of its histogram."""

    title: str
    short: str
    best: Literal["low", "high", "zero", "one"]
    span: tuple[float, float]
    meaning: str
    unit: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def edges(self) -> tuple[Rounded, ...]:
        """Edges of the histogram, whose outermost bins also count values outside."""
        return tuple(float(f"{edge:.6g}") for edge in np.linspace(*self.span, N_HISTOGRAM_BINS + 1))

    @property
    def best_value(self) -> str:
        """The ideal value, or the better direction."""
        return {"one": "1", "zero": "0"}.get(self.best, self.best)


class Distribution(Result):
    """Distribution of a metric over the selected modules that have it; `error` is that of the mean."""

    mean: RoundedOrNone
    error: RoundedOrNone
    n: int
    sigma: RoundedOrNone
    median: RoundedOrNone
    q68: RoundedOrNone
    counts: Annotated[tuple[int, ...], _PerBin]


class Profile(Result):
    """Mean of a metric and its error in each bin of a coordinate."""

    mean: tuple[RoundedOrNone, ...]
    error: tuple[RoundedOrNone, ...]


class Slice(Result):
    """Modules whose `coordinate` lies between two values."""

    coordinate: str
    low: Rounded
    high: Rounded


class Coordinate(Result):
    """Coordinate of profiles: edges, labels and numbers of modules of its bins, for all modules or a slice of them."""

    name: str
    title: str
    edges: Annotated[tuple[Rounded, ...], Field(min_length=2)]
    labels: tuple[str, ...]
    n: tuple[int, ...]
    slice_of: Slice | None

    @property
    def middles(self) -> tuple[float, ...]:
        """Middle of each bin."""
        return tuple((low + high) / 2 for low, high in zip(self.edges, self.edges[1:], strict=False))


class Margin(Result):
    """Mean EMD minus that of the best scheme on the same modules, with its bootstrap error."""

    difference: Rounded
    error: RoundedOrNone
    tie: bool


class SchemeResult(Result):
    """One algorithm with its settings on a link budget. Rates are over all modules, metrics over those selected."""

    name: str
    """Name, unique on a budget."""
    algorithm: AlgorithmName
    n_elinks: int
    links_used: int
    detail: str
    bits: Rounded
    """Bits per bunch crossing, without filling."""
    link_occupancy: Rounded
    cut_rate: Rounded
    n_empty_output: int
    metrics: dict[str, Distribution]
    profiles: dict[str, dict[str, Profile]]
    """Profiles by name of the coordinate and of the metric."""
    margin: Margin | None
    """Difference to the best scheme of the budget, for trained encoders and the best scheme of each other algorithm."""

    @property
    def emd(self) -> Distribution:
        """Distribution of the EMD."""
        return self.metrics["emd"]

    @property
    def is_shipped(self) -> bool:
        """Whether it is an encoder that came with the project."""
        return self.algorithm == "AE" and self.name.endswith("(shipped)")

    @property
    def energy_response(self) -> Distribution:
        """Its sigma is the energy resolution."""
        return self.metrics["energy_response"]

    @property
    def emd_mean(self) -> float:
        """Mean EMD."""
        mean = self.emd.mean
        assert mean is not None, "every selected module has an EMD"
        return mean

    def __repr__(self) -> str:
        return (f"<SchemeResult {self.name} on {counted(self.n_elinks, 'link')}: EMD {self.emd_mean:.3f}, "
                f"{self.bits:.1f} bits>")

    def profile(self, coordinate: Coordinate, metric: str = "emd") -> Profile:
        """Profile of a metric vs. a coordinate."""
        return self.profiles[coordinate.name][metric]

    @model_validator(mode="after")
    def _has_an_emd(self) -> Self:
        if "emd" not in self.metrics or self.emd.mean is None:
            raise ValueError(f"scheme {self.name} on {counted(self.n_elinks, 'link')} has no mean EMD")
        return self


class Map(Result):
    """Charge map of a module as received from one scheme, in trigger-cell order."""

    scheme: str
    algorithm: AlgorithmName
    emd: Rounded
    charge: Annotated[tuple[Rounded, ...], _PerCell]


class Display(Result):
    """A module on a budget: its true charges and the maps received from the best scheme of each algorithm."""

    n_elinks: int
    reason: str
    row: int
    true: Annotated[tuple[int, ...], _PerCell]
    latent: Annotated[tuple[int, ...], Field(min_length=_N_LATENTS, max_length=_N_LATENTS)] | None
    """Codes sent, if the subject is an AE."""
    subject: str
    """Scheme for which the module was chosen."""
    maps: tuple[Map, ...]

    @property
    def subject_map(self) -> Map:
        """Map of the subject."""
        return next(one for one in self.maps if one.scheme == self.subject)

    @model_validator(mode="after")
    def _has_its_subject(self) -> Self:
        if self.subject not in (one.scheme for one in self.maps):
            raise ValueError(f"row {self.row} has no map of {self.subject}")
        return self


@dataclass(frozen=True)
class Verdict:
    """The best scheme on a budget, the best ones of all other algorithms, and all encoders, each sorted by EMD."""

    n_elinks: int
    winner: SchemeResult
    others: tuple[SchemeResult, ...]
    encoders: tuple[SchemeResult, ...]

    @property
    def encoder(self) -> SchemeResult | None:
        """The best trained encoder, if there is one."""
        return next(iter(self.encoders), None)

    @property
    def own_encoder(self) -> SchemeResult | None:
        """The best one that did not come with the project, if there is one."""
        return next((one for one in self.encoders if not one.is_shipped), None)


class Comparison(Result):
    """All schemes of all budgets on the same modules."""

    indent: ClassVar[int | None] = None

    data: str
    """Source of the modules, in words."""
    weights: dict[str, str] = Field(default_factory=dict)
    """Digest of the weights of each trained encoder, by name of its scheme."""
    n_modules: int
    n_selected: int
    options: Options
    metrics: dict[str, Metric]
    coordinates: tuple[Coordinate, ...]
    schemes: tuple[SchemeResult, ...]
    remarks: tuple[str, ...] = ()
    """What to know before the metrics are believed: modules that were trained on, a decoder of other weights."""
    displays: tuple[Display, ...]
    sample: Sample | None = None
    """Absent from files of earlier versions."""

    def __repr__(self) -> str:
        winners = ", ".join(f"{self.verdict(n).winner.name} on {counted(n, 'link')}" for n in self.decided)
        return (f"<Comparison of {self.n_selected:,} of {self.n_modules:,} modules: "
                f"{winners or 'no autoencoder was compared'}>")

    def _repr_html_(self) -> str:
        titles = ("links", "scheme", "EMD", "error", "energy response", "bits", "frames cut")
        rows = [(n, one.name, f"{one.emd_mean:.3f}", "" if one.emd.error is None else f"{one.emd.error:.3f}",
                 "" if one.energy_response.mean is None else f"{one.energy_response.mean:.3f}", f"{one.bits:.1f}",
                 f"{one.cut_rate:.2%}") for n in self.budgets for one in self.table(n)]
        return html_table(f"{self.n_selected:,} of {self.n_modules:,} modules of {self.data}", titles, rows)

    def records(self) -> list[dict[str, Any]]:
        """Every scheme as one flat record, best first on each budget: its rates, then mean and error of each metric."""
        return [{name: getattr(one, name) for name in ("n_elinks", "name", "algorithm", "links_used", "detail", "bits",
                                                       "link_occupancy", "cut_rate", "n_empty_output")}
                | {f"{name}{suffix}": value for name in self.metrics
                   for suffix, value in (("", one.metrics[name].mean), ("_error", one.metrics[name].error))}
                for n in self.budgets for one in self.table(n)]

    @property
    def budgets(self) -> tuple[int, ...]:
        """Link budgets."""
        return self.options.n_elinks

    @property
    def decided(self) -> tuple[int, ...]:
        """Link budgets for which an autoencoder was compared: on the others, nothing is said of the best algorithm."""
        return tuple(n for n in self.budgets if self.verdict(n).encoder)

    @property
    def undecided(self) -> tuple[int, ...]:
        """The other link budgets."""
        return tuple(n for n in self.budgets if n not in self.decided)

    @property
    def profiled(self) -> tuple[Coordinate, ...]:
        """Coordinates for all modules."""
        return tuple(one for one in self.coordinates if one.slice_of is None)

    @property
    def sliced(self) -> tuple[Coordinate, ...]:
        """Coordinates for slices of the modules."""
        return tuple(one for one in self.coordinates if one.slice_of is not None)

    def table(self, n_elinks: int) -> list[SchemeResult]:
        """Schemes of a budget, best first."""
        return sorted((one for one in self.schemes if one.n_elinks == n_elinks), key=lambda one: one.emd_mean)

    def scheme(self, name: str, n_elinks: int) -> SchemeResult:
        """Scheme of this name; raises KeyError with the names on the budget if there is none."""
        found = {one.name: one for one in self.table(n_elinks)}
        if name not in found:
            raise KeyError(f"{name}: expected one of {', '.join(found)} on {counted(n_elinks, 'link')}")
        return found[name]

    def verdict(self, n_elinks: int) -> Verdict:
        """Verdict on a budget: the scheme with the smallest mean EMD, and the others."""
        ranked = [(one.margin.difference, i, one) for i, one in enumerate(self.schemes)
                  if one.n_elinks == n_elinks and one.margin is not None]
        best: dict[str, SchemeResult] = {}
        schemes = [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])]
        for one in schemes:
            best.setdefault(one.algorithm, one)
        winner, *others = best.values()
        return Verdict(n_elinks, winner, tuple(others), tuple(one for one in schemes if one.algorithm == "AE"))

    def contenders(self, n_elinks: int) -> list[SchemeResult]:
        """All trained encoders of a budget and the best scheme of each other algorithm, best first.

        RPT is left out: it sends only the first cells and would set the scale of every figure.
        """
        chosen: list[SchemeResult] = []
        for one in self.table(n_elinks):
            seen = {other.algorithm for other in chosen}
            if one.algorithm == "AE" or one.algorithm not in seen | {"RPT"}:
                chosen.append(one)
        return chosen

    def displays_of(self, n_elinks: int) -> list[Display]:
        """Displays of a budget."""
        return [one for one in self.displays if one.n_elinks == n_elinks]

    def is_of(self, weights: str) -> bool:
        """Whether a trained encoder has the weights of this digest; true for a comparison without any."""
        return weights in self.weights.values() or all(one.algorithm != "AE" for one in self.schemes)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """Check that everything that one part refers to is in the others."""
        missing = next((name for name in _SHOWN_ALONE if name not in self.metrics), None)
        if missing:
            raise ValueError(f"metric {missing} is missing")
        for one in self.schemes:
            missing = next((name for name in self.metrics if name not in one.metrics), None)
            if missing:
                raise ValueError(f"scheme {one.name} on {counted(one.n_elinks, 'link')}: metric {missing} is missing")
            for coordinate in self.coordinates:
                found = one.profiles.get(coordinate.name, {})
                n_bins = len(coordinate.edges) - 1
                if any(name not in found or len(found[name].mean) != n_bins or len(found[name].error) != n_bins
                       for name in self.metrics):
                    raise ValueError(f"scheme {one.name} on {counted(one.n_elinks, 'link')}: a profile of {n_bins} "
                                     f"bins vs. {coordinate.name} is missing")
        for n_elinks in self.budgets:
            if not any(one.n_elinks == n_elinks and one.margin for one in self.schemes):
                raise ValueError(f"on {counted(n_elinks, 'link')}, no scheme is compared with the best one")
        return self
