"""Result of comparing algorithms on the same modules: physics.json of `econ-t compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, computed_field, model_validator
from typing_extensions import Self

from models.chip import AlgorithmName
from models.result import Result, Rounded, RoundedOrNone
from models.trigger_cells import CALQ_PER_MIPT, N_TRIGGER_CELLS

N_HISTOGRAM_BINS = 48

_PerCell = Field(min_length=N_TRIGGER_CELLS, max_length=N_TRIGGER_CELLS)
_PerBin = Field(min_length=N_HISTOGRAM_BINS, max_length=N_HISTOGRAM_BINS)
_N_LATENTS = 16
_SHOWN_ALONE = ("emd", "energy_response", "occupancy_kept")  # metrics that the report names


class Options(Result):
    """What is compared and how."""

    n_elinks: Annotated[tuple[int, ...], Field(min_length=1)] = (2, 3, 4, 5)
    """Link budgets."""
    min_charge: float = CALQ_PER_MIPT
    dropped_bits: int = 0
    thresholds: tuple[int, ...] = (47,)
    """Of TS, in CALQ; 47 is that of the published vectors, 1.35 transverse MIP."""
    max_cut: float = 0.001
    """Part of its frames that the fitted TS may lose in its buffer."""
    n_resamples: int = 200
    seed: int = 1


class Metric(Result):
    """One value per module: how it is called, which value is good, and the range of its histogram."""

    title: str
    short: str
    best: Literal["low", "high", "zero", "one"]
    span: tuple[float, float]
    meaning: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def edges(self) -> tuple[Rounded, ...]:
        """Edges of the histogram; its outermost bins also count what lies outside."""
        return tuple(float(f"{edge:.6g}") for edge in np.linspace(*self.span, N_HISTOGRAM_BINS + 1))

    @property
    def best_value(self) -> str:
        """The value that is right, or the direction that is better."""
        return {"one": "1", "zero": "0"}.get(self.best, self.best)


class Distribution(Result):
    """A metric over the selected modules that have it; `error` is that of the mean."""

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
    """The part of the modules whose `coordinate` lies between two values."""

    coordinate: str
    low: Rounded
    high: Rounded


class Coordinate(Result):
    """What profiles are taken against: edges, modules and a label of each bin; of a slice of the modules or of all."""

    name: str
    title: str
    edges: Annotated[tuple[Rounded, ...], Field(min_length=2)]
    labels: tuple[str, ...]
    n: tuple[int, ...]
    slice_of: Slice | None

    @property
    def middles(self) -> tuple[float, ...]:
        return tuple((low + high) / 2 for low, high in zip(self.edges, self.edges[1:], strict=False))


class Margin(Result):
    """Mean EMD minus that of the best scheme on the same modules, with its bootstrap error."""

    difference: Rounded
    error: RoundedOrNone
    tie: bool


class SchemeResult(Result):
    """One algorithm with its settings on a link budget. Rates are over all modules, metrics over those selected."""

    name: str
    """Unique on a budget."""
    algorithm: AlgorithmName
    n_elinks: int
    links_used: int
    detail: str
    bits: Rounded
    """Per bunch crossing, without filling."""
    link_occupancy: Rounded
    cut_rate: Rounded
    n_empty_output: int
    metrics: dict[str, Distribution]
    profiles: dict[str, dict[str, Profile]]
    """By name of the coordinate and of the metric."""
    margin: Margin | None
    """Of the best scheme of each algorithm on a budget."""

    @property
    def emd(self) -> Distribution:
        return self.metrics["emd"]

    @property
    def emd_mean(self) -> float:
        mean = self.emd.mean
        assert mean is not None, "every selected module has an EMD"
        return mean

    def profile(self, coordinate: Coordinate, metric: str = "emd") -> Profile:
        return self.profiles[coordinate.name][metric]

    @model_validator(mode="after")
    def _has_an_emd(self) -> Self:
        if "emd" not in self.metrics or self.emd.mean is None:
            raise ValueError(f"scheme {self.name} on {self.n_elinks} links has no mean EMD")
        return self


class Map(Result):
    """The charges that one scheme transports of a module, in trigger-cell order."""

    scheme: str
    algorithm: AlgorithmName
    emd: Rounded
    charge: Annotated[tuple[Rounded, ...], _PerCell]


class Display(Result):
    """One module on a budget: its true charges and what the best scheme of each algorithm makes of them."""

    n_elinks: int
    reason: str
    row: int
    true: Annotated[tuple[int, ...], _PerCell]
    latent: Annotated[tuple[int, ...], Field(min_length=_N_LATENTS, max_length=_N_LATENTS)] | None
    """Codes that are sent, if the subject is an AE."""
    subject: str
    """The scheme for which the module was chosen."""
    maps: tuple[Map, ...]

    @property
    def subject_map(self) -> Map:
        return next(one for one in self.maps if one.scheme == self.subject)

    @model_validator(mode="after")
    def _has_its_subject(self) -> Self:
        if self.subject not in (one.scheme for one in self.maps):
            raise ValueError(f"row {self.row} has no map of {self.subject}")
        return self


@dataclass(frozen=True)
class Verdict:
    """The best scheme on a budget and the best ones of all other algorithms, by their EMD."""

    n_elinks: int
    winner: SchemeResult
    others: tuple[SchemeResult, ...]

    @property
    def encoder(self) -> SchemeResult | None:
        """The best AE set, if there is one."""
        return next((one for one in (self.winner, *self.others) if one.algorithm == "AE"), None)


class Comparison(Result):
    """All schemes of all budgets on the same modules."""

    indent: ClassVar[int | None] = None

    data: str
    """Where the modules come from, in words."""
    weights: dict[str, str] = Field(default_factory=dict)
    """Digest of the weights of each AE set, by name of its scheme."""
    n_modules: int
    n_selected: int
    options: Options
    metrics: dict[str, Metric]
    coordinates: tuple[Coordinate, ...]
    schemes: tuple[SchemeResult, ...]
    displays: tuple[Display, ...]

    @property
    def budgets(self) -> tuple[int, ...]:
        """Link budgets."""
        return self.options.n_elinks

    @property
    def profiled(self) -> tuple[Coordinate, ...]:
        """Coordinates of all modules."""
        return tuple(one for one in self.coordinates if one.slice_of is None)

    @property
    def sliced(self) -> tuple[Coordinate, ...]:
        """Coordinates of slices of the modules."""
        return tuple(one for one in self.coordinates if one.slice_of is not None)

    def table(self, n_elinks: int) -> list[SchemeResult]:
        """The schemes of a budget, best first."""
        return sorted((one for one in self.schemes if one.n_elinks == n_elinks), key=lambda one: one.emd_mean)

    def scheme(self, name: str, n_elinks: int) -> SchemeResult:
        """One scheme; raises KeyError with the names of the budget if there is none of this name."""
        found = {one.name: one for one in self.table(n_elinks)}
        if name not in found:
            raise KeyError(f"{name}: expected one of {', '.join(found)} on {n_elinks} links")
        return found[name]

    def verdict(self, n_elinks: int) -> Verdict:
        """Who has the smallest mean EMD on a budget."""
        ranked = [(one.margin.difference, i, one) for i, one in enumerate(self.schemes)
                  if one.n_elinks == n_elinks and one.margin is not None]
        winner, *others = (one for _, _, one in sorted(ranked, key=lambda entry: entry[:2]))
        return Verdict(n_elinks, winner, tuple(others))

    def contenders(self, n_elinks: int) -> list[SchemeResult]:
        """Every AE set of a budget and the best scheme of each other algorithm, best first.

        Without RPT, which sends the first cells only and would set the scale of every picture.
        """
        chosen: list[SchemeResult] = []
        for one in self.table(n_elinks):
            seen = {other.algorithm for other in chosen}
            if one.algorithm == "AE" or one.algorithm not in seen | {"RPT"}:
                chosen.append(one)
        return chosen

    def displays_of(self, n_elinks: int) -> list[Display]:
        return [one for one in self.displays if one.n_elinks == n_elinks]

    def is_of(self, weights: str) -> bool:
        """Whether an AE set has the weights of this digest; true of a comparison without any."""
        return weights in self.weights.values() or all(one.algorithm != "AE" for one in self.schemes)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """What one part refers to must be in the other."""
        missing = next((name for name in _SHOWN_ALONE if name not in self.metrics), None)
        if missing:
            raise ValueError(f"metric {missing} is missing")
        for one in self.schemes:
            missing = next((name for name in self.metrics if name not in one.metrics), None)
            if missing:
                raise ValueError(f"scheme {one.name} on {one.n_elinks} links has no metric {missing}")
            for coordinate in self.coordinates:
                found = one.profiles.get(coordinate.name, {})
                n_bins = len(coordinate.edges) - 1
                if any(name not in found or len(found[name].mean) != n_bins or len(found[name].error) != n_bins
                       for name in self.metrics):
                    raise ValueError(f"scheme {one.name} on {one.n_elinks} links has no profile of {n_bins} bins of "
                                     f"every metric against {coordinate.name}")
        for n_elinks in self.budgets:
            if not any(one.n_elinks == n_elinks and one.margin for one in self.schemes):
                raise ValueError(f"no scheme on {n_elinks} links is compared with the best one")
        return self
