"""A sample of the compared modules: what was sent and what each algorithm's receiver made of it, module by module."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from models.chip import N_OUTPUTS, AlgorithmName
from models.result import Result, Rounded
from models.trigger_cells import N_TRIGGER_CELLS
from models.wording import counted

_Tenth = Annotated[float, AfterValidator(lambda value: round(value, 1))]
"""A tenth of a CALQ: less than any picture shows, and a third of the digits in the file."""

_PerCell = Field(min_length=N_TRIGGER_CELLS, max_length=N_TRIGGER_CELLS)


class Reception(Result):
    """What the receiver of one scheme has of every module of a sample."""

    scheme: str
    algorithm: AlgorithmName
    n_elinks: int
    emd: tuple[Rounded, ...]
    charge: tuple[Annotated[tuple[_Tenth, ...], _PerCell], ...]
    """Charge maps in trigger-cell order."""
    latent: tuple[Annotated[tuple[int, ...], Field(min_length=N_OUTPUTS, max_length=N_OUTPUTS)], ...] | None = None
    """Codes sent, for AE."""


class Sample(Result):
    """Some of the selected modules: extreme ones, typical ones, and others spread over every coordinate.

    Per budget there is a reception of each trained encoder and of the best scheme of each other algorithm.
    """

    rows: tuple[int, ...]
    """Row of each module in the data, counted from 0."""
    true: tuple[Annotated[tuple[int, ...], _PerCell], ...]
    """Charge maps in trigger-cell order."""
    coordinates: dict[str, tuple[Rounded, ...]]
    """Value of each module, by the name of the coordinate."""
    receptions: tuple[Reception, ...]

    @model_validator(mode="after")
    def _is_rectangular(self) -> Self:
        n = len(self.rows)
        parts = [("true", self.true), *self.coordinates.items(), *(
            (f"{name} of {one.scheme} on {counted(one.n_elinks, 'link')}", values)
            for one in self.receptions
            for name, values in (("emd", one.emd), ("charge", one.charge), ("latent", one.latent))
            if values is not None)]
        wrong = next(((name, len(values)) for name, values in parts if len(values) != n), None)
        if wrong:
            raise ValueError(f"{wrong[0]}: {wrong[1]} modules, expected {n}")
        return self
