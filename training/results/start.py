"""Result of a training that began with an encoder from elsewhere: start.json of the run."""

from __future__ import annotations

from models.result import Result, RoundedOrNone
from training.results.audit import Way


class WarmStart(Result):
    """What the encoder of a file was worth before, in the chip's range and after the training, on training modules."""

    file: str
    n_modules: int
    signed: tuple[str, ...]
    """Layers with negative values, which the chip cannot hold: conv, dense."""
    filters_mirrored: int
    outputs_mirrored: int
    explained_before: RoundedOrNone
    explained: RoundedOrNone
    """Part of the variance of its own latents that those of the chip tell: of its codes, and in the chip's range."""
    with_decoder: bool
    """Whether the decoder beside it was taken, too."""
    steps: int
    """Of the fresh decoder of each row."""
    ways: tuple[Way, ...]

    @property
    def summary(self) -> str:
        """What was done to the encoder, in words."""
        if not self.signed:
            return f"{self.file}: no negative values, taken as it is"
        layers = " and ".join({"conv": "hidden values", "dense": "latents"}[name] for name in self.signed)
        told = ("" if self.explained is None or self.explained_before is None else
                f"; linear functions of the latents sent explain {self.explained:.0%} of the variance of its own, "
                f"{self.explained_before:.0%} without this")
        return (f"{self.file}: signed {layers}, brought into the chip's range: {self.filters_mirrored} filters and "
                f"{self.outputs_mirrored} outputs mirrored, biases from the lowest sums{told}")
