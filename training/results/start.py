"""Result of a training that began with an encoder from elsewhere: start.json of the run."""

from __future__ import annotations

from models.result import Result, RoundedOrNone
from training.results.audit import Way

OWN, CODES, IN_RANGE, AFTER = ("the file, its own arithmetic", "the file, codes on the chip", "in the chip's range",
                               "after the training")
"""Names of the ways in which an encoder is measured."""
WITH_DECODER = ", its decoder"
"""Behind a name: decoded by the decoder that was given, or what it was trained to, and not by a fresh one."""


class WarmStart(Result):
    """What the encoder of a file was worth before, in the chip's range and after the training.

    Measured on validation modules, which neither the encoder of the run nor any fresh decoder was trained on.
    """

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
    """Whether its decoder was taken, too: that beside it, or the one in `decoder`."""
    decoder: str | None = None
    """File of a decoder that was given."""
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
                f"{self.outputs_mirrored} outputs mirrored, biases from the lowest sums{told}{self._cost}")

    @property
    def _cost(self) -> str:
        """What the way into the chip's range cost, in EMD with fresh decoders."""
        emds = {way.name: way.emd for way in self.ways}
        own, ours = emds.get(OWN), emds.get(IN_RANGE)
        if own is None or ours is None:
            return ""
        cut = emds.get(CODES)
        without = "" if cut is None else f" ({cut:.3f} without this)"
        return (f"; the EMD with a fresh decoder is {own:.3f} in its own arithmetic and {ours:.3f} in the chip's "
                f"range{without}: it cost {ours - own:.3f}")
