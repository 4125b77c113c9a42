"""Statistics of the latents of an encoder over a file of modules, part of metrics.json."""

from __future__ import annotations

from pydantic import Field

from models.result import Result, Rounded

N_BINS = 32
"""Most bins of the histogram of a latent."""


class Latent(Result):
    """Codes of one latent, as they are sent."""

    least: int
    largest: int
    n_codes: int
    """Number of different codes."""
    entropy: Rounded
    """Of the codes over these modules, in bits: what an ideal code for this latent alone would take."""
    at_zero: Rounded
    """Fraction of the modules with code 0."""
    at_end: Rounded
    """Fraction with the largest code that the format has."""
    counts: tuple[int, ...]
    """Histogram over the whole range of the format."""


class LatentStatistics(Result):
    """All latents of an encoder, and how often its hidden codes saturate."""

    n_modules: int
    latent_bits: int
    latents: tuple[Latent, ...]
    hidden_saturated: Rounded = Field(description="fraction of the hidden codes at the end of their range")
    hidden_zero: Rounded = Field(description="fraction of the hidden codes that are 0")

    @property
    def entropy(self) -> float:
        """Sum over the latents, in bits."""
        return sum(one.entropy for one in self.latents)

    def __str__(self) -> str:
        unused = sum(one.n_codes < 2 for one in self.latents)  # noqa: PLR2004  (one code tells nothing)
        return (f"{self.entropy:.1f} bits of entropy in {len(self.latents) * self.latent_bits} bits sent, over "
                f"{self.n_modules:,} modules; {unused} of {len(self.latents)} latents never change; "
                f"{self.hidden_saturated:.2%} of the hidden codes saturate, {self.hidden_zero:.1%} are 0")
