"""Result of sending one module: what went over the links and what the receiver made of it, `econ-t show --json`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.chip import AlgorithmName
from models.result import Result, Rounded, RoundedOrNone
from models.trigger_cells import N_TRIGGER_CELLS

_PerCell = Field(min_length=N_TRIGGER_CELLS, max_length=N_TRIGGER_CELLS)


class Transmission(Result):
    """A module through one scheme, alone: nothing waits in the output buffer before it."""

    scheme: str
    algorithm: AlgorithmName
    n_elinks: int
    detail: str
    bits: int
    words: tuple[str, ...]
    """Of the links in use, in hexadecimal; link 0 first, then those of further bunch crossings."""
    fields: dict[str, int | tuple[int | None, ...]]
    """Numbers of the frame by name, as codes; None for one that it does not carry."""
    module_sum: RoundedOrNone
    """As the frame carries it, in CALQ."""
    latent: tuple[int, ...] | None
    charge: Annotated[tuple[Rounded, ...], _PerCell]
    """Received map in trigger-cell order; without charge, only the module sum is known."""
    emd: RoundedOrNone
    """As in a comparison: a map without charge counts as a flat one. None if the module is empty."""


class SentModule(Result):
    """A module and its way through one or several schemes."""

    data: str
    row: int
    """Counted from 0."""
    true: Annotated[tuple[int, ...], _PerCell]
    """Charges in trigger-cell order."""
    transmissions: tuple[Transmission, ...]

    @property
    def best(self) -> tuple[Transmission, ...]:
        """Of each algorithm and budget the transmission with the smallest EMD, in the order of the algorithms."""
        found: dict[tuple[str, int], Transmission] = {}
        for one in self.transmissions:
            known = found.setdefault((one.algorithm, one.n_elinks), one)
            if one.emd is not None and (known.emd is None or one.emd < known.emd):
                found[one.algorithm, one.n_elinks] = one
        return tuple(found.values())
