"""The named integer arrays of every stage of one run: the thing that is compared, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import IntArray

STAGES = (
    "module_sum", "shift", "image_code", "conv_sum", "hidden_code", "dense_sum", "output_code", "latent_code"
)
"""Stages of the encoder, in the order in which data passes them."""


@dataclass(frozen=True)
class Trace(Mapping[str, IntArray]):
    """Stage name -> integer array whose first axis is the event."""

    stages: dict[str, IntArray]

    def __getitem__(self, stage: str) -> IntArray:
        return self.stages[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    @classmethod
    def concatenate(cls, parts: list[Trace]) -> Trace:
        """Join the events of several traces with the same stages."""
        return cls({stage: np.concatenate([part[stage] for part in parts]) for stage in parts[0]})
