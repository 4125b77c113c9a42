"""Result of flipping every bit of the encoder block: seu.json of `econ-t seu`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from models.result import Result

Kind = Literal["weights", "settings", "pipeline"]
Micro = Annotated[float, AfterValidator(lambda value: round(value, 6))]
"""Six decimal places: more cannot be resolved with this number of events."""
PerBit = tuple[Micro, ...]


class BitEffects(Result):
    """Effects of flipping each bit of an array or register."""

    latent_changed: PerBit = Field(description="fraction of events with a changed latent at the receiver")
    code_difference: PerBit = Field(description="sum over the latents of |difference of codes|, mean over the events")
    frame_changed: PerBit = Field(description="fraction of events with a changed frame")
    sum_changed: PerBit = Field(description="fraction of events with a changed module sum")
    emd_change: PerBit = Field(description="mean change of the EMD, in sensor-cell pitches")


class RegisterUpsets(Result):
    """Bits of one array of weights or one register, each flipped alone."""

    name: str
    kind: Kind
    place: Annotated[tuple[int, ...], Field(min_length=1)]
    """Position of each bit in its code, 0 for the lowest; the codes follow one another."""
    effects: BitEffects | None
    """None if a flip lasts until the next orbit."""

    def label(self, bit: int) -> str:
        """Name of a bit: array[code] bit place."""
        code = sum(place == 0 for place in self.place[: bit + 1]) - 1
        inside = f"[{code}]" if self.place.count(0) > 1 else ""
        return f"{self.name}{inside} bit {self.place[bit]}"

    @model_validator(mode="after")
    def _has_values_of_every_bit(self) -> Self:
        for name, values in self.effects or ():
            if len(values) != len(self.place):
                raise ValueError(f"{self.name}: {len(values)} values of {name}, expected {len(self.place)}")
        return self


class RankedBit(Result):
    """One of the bits that change the EMD most."""

    kind: Kind
    name: str
    latent_changed: Micro
    code_difference: Micro
    frame_changed: Micro
    sum_changed: Micro
    emd_change: Micro


class PipelineUpsets(Result):
    """Number of frames that a flip of the pipeline affects."""

    n_bits: int
    n_one_crossing: int
    most_frames_of_these: int
    until_next_orbit: tuple[str, ...]
    """Registers whose flips last longer."""


class Redundancy(Result):
    """Flips in one and in two of three copies, RTL vs. emulator."""

    n_bits: int
    n_events: int
    frames_changed_by_one_copy: int
    frames_changed_by_another_copy_after_scrubbing: int
    bits_that_change_frames_with_two_copies_wrong: int
    frames_equal_to_emulator_with_two_copies_wrong: int


class ScrubbingPeriod(Result):
    """Wrong votes of three copies that are rewritten once per period."""

    period_s: float
    wrong_votes_per_day: float


class Accumulation(Result):
    """Wrong votes vs. scrubbing period, for a rate of upsets in all bits without redundancy."""

    n_bits: int
    upsets_per_hour: float
    periods: tuple[ScrubbingPeriod, ...]


class Upsets(Result):
    """Effects of a flipped bit, for all bits of the weights, and of settings and pipeline if the RTL was run."""

    indent: ClassVar[int | None] = None

    config: str
    data: str
    """Source of the modules, in words."""
    n_events: int
    """Number of events for latents and frames of weights."""
    n_emd: int
    """Number of events for the EMD, and for everything that the RTL computes."""
    emd: float
    """Mean EMD without flips, in sensor-cell pitches."""
    pipeline: PipelineUpsets | None
    redundancy: Redundancy | None
    bits: tuple[RegisterUpsets, ...]
    ranking: tuple[RankedBit, ...]
    accumulation: Accumulation
