"""Result of running published test vectors: vectors.json of `econ-t chip verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from emulator.verify import SetResult
from models.provenance import Provenance, provenance
from models.result import Result
from models.wording import counted


class CheckedSet(Result):
    """One vector set and how many of its frames are equal in every bit."""

    name: str
    algorithm: str
    n_elinks: int
    n_frames: int
    n_exact: int
    status: Literal["exact", "explained", "different", "bad"]
    """`explained`: known to be published wrong, or without an output; `bad`: cannot be read."""
    reason: str


class VectorCheck(Result):
    """All vector sets of a call."""

    sets: tuple[CheckedSet, ...]
    made: Provenance

    @classmethod
    def of(cls, results: Sequence[SetResult]) -> VectorCheck:
        """The check that gave these results."""
        return cls(made=provenance(), sets=tuple(
            CheckedSet(name=one.name, algorithm=one.algorithm, n_elinks=one.n_elinks, n_frames=one.n_frames,
                       n_exact=one.n_exact, status=one.status, reason=one.reason) for one in results))

    @property
    def fine(self) -> bool:
        """Whether nothing speaks against the emulator."""
        return all(one.status in ("exact", "explained") for one in self.sets)

    def __str__(self) -> str:
        n_exact, n_frames = sum(one.n_exact for one in self.sets), sum(one.n_frames for one in self.sets)
        counts = Counter(one.status for one in self.sets)
        return (f"{n_exact:,} of {counted(n_frames, 'frame')} exact in {counted(len(self.sets), 'set')}: "
                + ", ".join(f"{counts[status]} {status}" for status in ("exact", "explained", "different", "bad")))
