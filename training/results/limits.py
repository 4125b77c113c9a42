"""Result of a study of limits: limits.json of `econ-t limits`."""

from __future__ import annotations

from typing import Literal

from models.result import FloatOrNone, Result

Curve = Literal["bits", "latents", "refinements", "modules"]
"""What is varied: bits per latent, number of latents, refinements of the decoder, modules to train on."""


class LimitPoint(Result):
    """One training: what differs from the configuration, and its EMD on the test modules of the configuration."""

    curve: Curve
    value: int
    own: bool
    """Whether it is the configuration itself, which lies on every curve."""
    seed: int
    emd_mean: FloatOrNone
    emd_error: FloatOrNone
    """Standard error of the mean over the test modules."""
    n_modules: int


class Limits(Result):
    """All trainings of a study, of equally many steps."""

    config: str
    steps: int
    """Gradient steps of each training, give or take 2%."""
    test: str
    """Source of the test modules, in words."""
    points: tuple[LimitPoint, ...]

    def __repr__(self) -> str:
        return f"<Limits of {self.config}: {len(self.points)} points of {self.steps:,} steps each>"

    def curve(self, name: Curve) -> dict[int, list[float]]:
        """Mean EMDs by value, ascending, one for each seed; a value without an EMD is left out."""
        found: dict[int, list[float]] = {}
        for one in sorted(self.points, key=lambda one: (one.value, one.seed)):
            if one.curve == name and one.emd_mean is not None:
                found.setdefault(one.value, []).append(one.emd_mean)
        return found
