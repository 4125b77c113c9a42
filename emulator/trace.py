"""The named integer arrays of every stage of one run: the thing that is compared, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import IntArray
from models.notebook import array_rows, html_table

STAGES = (
    "module_sum", "shift", "image_code", "conv_sum", "hidden_code", "dense_sum", "output_code", "latent_code"
)
"""Stages of the encoder, in the order in which data passes them.

Examples:
    >>> from emulator import STAGES
    >>> STAGES[0], STAGES[-1], len(STAGES)
    ('module_sum', 'latent_code', 8)
"""


@dataclass(frozen=True)
class Trace(Mapping[str, IntArray]):
    """Stage name -> integer array whose first axis is the event.

    Examples:
        >>> import numpy as np
        >>> from emulator import encode
        >>> from models import load_weights
        >>> encode(load_weights("econ_t_2elink"), np.zeros((3, 48), dtype=int), keep=("shift", "latent_code"))
        <Trace of 3 events: shift, latent_code>
    """

    stages: dict[str, IntArray]

    def __getitem__(self, stage: str) -> IntArray:
        return self.stages[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    @property
    def n_events(self) -> int:
        """Events of which the stages are kept; 0 of a trace without stages."""
        return len(next(iter(self.stages.values()), ()))

    def __repr__(self) -> str:
        return f"<Trace of {self.n_events} events: {', '.join(self.stages)}>"

    def _repr_html_(self) -> str:
        return html_table(f"Stages of {self.n_events} events", ("stage", "shape", "lowest", "highest"),
                          array_rows(self.stages.items()))

    @classmethod
    def concatenate(cls, parts: list[Trace]) -> Trace:
        """Join the events of several traces with the same stages."""
        return cls({stage: np.concatenate([part[stage] for part in parts]) for stage in parts[0]})
