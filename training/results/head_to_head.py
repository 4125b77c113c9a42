"""Result of comparing two trained sets on the same modules, sample by sample: `econ-t compare A B --json`."""

from __future__ import annotations

from typing import Any

from models.result import Result, RoundedOrNone

_SIGMAS = 3.0  # a smaller difference is a tie


class PairedMetric(Result):
    """A metric of both sets over the modules for which both have it, and its difference module by module."""

    name: str
    title: str
    n: int
    first: RoundedOrNone
    first_error: RoundedOrNone
    second: RoundedOrNone
    second_error: RoundedOrNone
    difference: RoundedOrNone
    """Mean of first minus second."""
    difference_error: RoundedOrNone
    """Of that mean: smaller than the errors of both means say, as the same modules are hard for both."""
    first_better: RoundedOrNone
    """Fraction of the modules for which the first is nearer to the best value of the metric."""
    second_better: RoundedOrNone
    """The same for the second; what is left is equal."""

    @property
    def tie(self) -> bool:
        """Whether the difference is below three of its errors."""
        return self.difference is None or abs(self.difference) < _SIGMAS * (self.difference_error or 0) or (
            self.difference == 0)


class PairedSample(Result):
    """Both sets on one sample of modules."""

    data: str
    n_modules: int
    n_selected: int
    metrics: tuple[PairedMetric, ...]
    remarks: tuple[str, ...] = ()
    """What to know before the metrics are believed: modules that were trained on, a decoder of other weights."""

    @property
    def emd(self) -> PairedMetric:
        """The EMD."""
        return next(one for one in self.metrics if one.name == "emd")


class HeadToHead(Result):
    """Two trained sets on one or several samples, which are never pooled."""

    first: str
    second: str
    n_elinks: tuple[int, int]
    weights: tuple[str, str]
    """Digests."""
    min_charge: float
    """Modules with a cell above this many CALQ are selected."""
    seed: int
    samples: tuple[PairedSample, ...]

    def records(self) -> list[dict[str, Any]]:
        """A flat record for each metric of each sample."""
        return [{"data": sample.data, "n_modules": sample.n_modules, "first": self.first, "second": self.second}
                | {f"{name}_mean" if name in ("first", "second") else name: value
                   for name, value in metric.model_dump().items()}
                for sample in self.samples for metric in sample.metrics]
