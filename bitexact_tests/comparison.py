"""Two implementations of one encoder, stage by stage and bit by bit, and where they differ first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import IntArray
from models.bit_comparison import BackendComparison, BitComparison, StageComparison
from models.config import Config
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from models.weights import EncoderWeights


@dataclass(frozen=True)
class Mismatch:
    """The first difference, by stage order, then event, then index within the event."""

    stage: str
    event: int
    index: tuple[int, ...]
    expected: int
    found: int
    format: FixedPoint | None
    calq: tuple[int, ...]

    def __str__(self) -> str:
        where = f"stage {self.stage}, event {self.event}, index {list(self.index)}"
        what = f"expected {self.expected}, found {self.found}"
        if self.format is not None:
            lsb = self.format.lsb
            what += f" (values {self.expected * lsb:g} and {self.found * lsb:g} as {self.format})"
        return f"{where}: {what}; input CALQ in image order: {' '.join(map(str, self.calq))}"


@dataclass(frozen=True)
class Comparison:
    """The stages that both sides name, in the order of the reference."""

    stages: tuple[StageComparison, ...]
    first: Mismatch | None

    @property
    def equal(self) -> bool:
        return self.first is None

    @property
    def result(self) -> BackendComparison:
        """What is written of it."""
        return BackendComparison(stages=self.stages, first_mismatch=str(self.first) if self.first else None)


def bit_comparison(
    config: Config, weights: EncoderWeights, n_events: int, found: Mapping[str, Comparison]
) -> BitComparison:
    """The result of all backends, as it is written."""
    return BitComparison(
        config=config.name, digest=config.encoder.digest(), weights=weights.digest(),
        arithmetic=config.encoder.arithmetic, n_events=n_events,
        backends={name: one.result for name, one in found.items()})


def compare_stages(
    spec: EncoderSpec, calq: IntArray, reference: Mapping[str, IntArray], other: Mapping[str, IntArray]
) -> Comparison:
    """Compare every stage that both sides have; calq (n, 48) is the input in image order.

    Raises ValueError if they share no stage or a shape differs: that is no mismatch of bits but a wrong call.
    """
    shared = [stage for stage in reference if stage in other]
    if not shared:
        raise ValueError(f"no common stage: {', '.join(reference)} against {', '.join(other)}")
    rows, first = [], None
    for stage in shared:
        expected, found = np.asarray(reference[stage]), np.asarray(other[stage])
        if expected.shape != found.shape or len(expected) != len(calq):
            raise ValueError(f"stage {stage}: shapes {expected.shape} and {found.shape} for {len(calq)} events")
        differs = expected != found
        events = differs.reshape(len(differs), -1).any(axis=1)
        rows.append(StageComparison(stage=stage, n_values=differs.size, n_mismatches=int(differs.sum()),
                                    n_events=int(events.sum())))
        if first is None and events.any():
            event, *index = (int(i) for i in np.argwhere(differs)[0])
            place = (event, *index)
            first = Mismatch(stage, event, tuple(index), int(expected[place]), int(found[place]),
                             stage_format(spec, stage), tuple(int(charge) for charge in calq[event]))
    return Comparison(tuple(rows), first)


def stage_format(spec: EncoderSpec, stage: str) -> FixedPoint | None:
    """Number format of the codes of a stage; None for plain integers."""
    return {
        "image_code": spec.input,
        "conv_sum": spec.conv_accumulator,
        "hidden_code": spec.conv.output,
        "dense_sum": spec.dense_accumulator,
        "output_code": spec.dense.output,
        "latent_code": spec.latent,
    }.get(stage)
