"""Result of a scan over bit widths: pareto.json of `econ-t pareto`."""

from __future__ import annotations

from pydantic import model_validator
from typing_extensions import Self

from models.result import FloatOrNone, Result


class ParetoPoint(Result):
    """An encoder: its widths, its gates, and its EMD on the held-out modules after a short training."""

    name: str
    weight_bits: int
    input_bits: int
    digest: str
    """Digest of its spec."""
    own: bool
    """Whether it is the encoder of the configuration."""
    nand2: int
    ff: int
    emd_mean: FloatOrNone
    emd_median: FloatOrNone
    n_modules: int


class ParetoScan(Result):
    """All encoders of a scan, trained and mapped in the same way."""

    config: str
    epochs: int
    tool: str
    points: tuple[ParetoPoint, ...]

    def __repr__(self) -> str:
        return f"<ParetoScan of {self.config}: {len(self.points)} encoders, {len(self.front())} on the front>"

    @property
    def own(self) -> ParetoPoint:
        """Point of the encoder of the configuration."""
        return next(one for one in self.points if one.own)

    def front(self) -> list[ParetoPoint]:
        """Points that no other beats in both area and EMD, sorted by area; those without an EMD are left out."""
        found: list[ParetoPoint] = []
        least = float("inf")
        for emd, one in sorted(((one.emd_mean, one) for one in self.points if one.emd_mean is not None),
                               key=lambda entry: (entry[1].nand2, entry[0])):
            if emd < least:
                found.append(one)
                least = emd
        return found

    @model_validator(mode="after")
    def _has_its_own(self) -> Self:
        if sum(one.own for one in self.points) != 1:
            raise ValueError(f"{sum(one.own for one in self.points)} points are the encoder of the configuration, "
                             "expected 1")
        return self
