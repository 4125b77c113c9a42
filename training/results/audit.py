"""Result of an audit of an encoder from elsewhere: audit.json of `econ-t audit`."""

from __future__ import annotations

from pydantic import Field

from models.result import FloatOrNone, Result, Rounded, RoundedOrNone

MUCH_WORSE = 1.2
"""EMD through the chip over that in the encoder's own arithmetic, from which the verdict says that the chip loses."""


class Way(Result):
    """Latents of one arithmetic, as the links carry them, and what a decoder makes of them."""

    name: str
    negative: Rounded = Field(description="part of the latents below 0")
    zero: Rounded = Field(description="part of the latents that are 0")
    saturated: Rounded = Field(description="part of the latents at the end of their range")
    all_zero: Rounded = Field(description="part of the modules of which all latents are 0")
    entropy: Rounded = Field(description="entropy of a latent in bits, mean over the latents")
    n_codes: Rounded = Field(description="different codes of a latent, mean over the latents")
    emd: FloatOrNone = Field(description="mean EMD of half of the modules, on which no decoder was trained")
    explained: RoundedOrNone = Field(None, description="part of the variance of the encoder's own latents that linear "
                                                       "functions of these explain, mean over the latents")


class Audit(Result):
    """What was found about an encoder."""

    file: str
    data: str
    n_modules: int
    decoder: str
    untrained: str | None
    """Why it looks as before any training."""
    differences: tuple[str, ...]
    """What of it the chip does not have: activations, formats, values that are no codes."""
    notes: tuple[str, ...]
    ways: tuple[Way, ...]

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        chip, own = self.ways[-1], self.ways[0]
        if chip is own:
            sent = "" if chip.emd is None else f" The EMD through the chip's integers is {chip.emd:.2f}."
            return ("This encoder was not trained." if self.untrained else
                    "The file has no arithmetic of its own to compare with the chip's.") + sent
        if chip.emd is None or own.emd is None:
            emds = ""
        else:
            emds = f" The EMD is {own.emd:.2f} in its own arithmetic and {chip.emd:.2f} through the chip's integers."
        if self.untrained:
            return "This encoder was not trained." + emds
        if own.negative > 0:
            return f"The chip cuts {own.negative:.0%} of the latents, which are negative." + emds
        if chip.emd is not None and own.emd is not None and chip.emd > MUCH_WORSE * own.emd:
            return "The chip's arithmetic loses much of what this encoder learnt." + emds
        return "This encoder runs on the chip as it was trained." + emds
