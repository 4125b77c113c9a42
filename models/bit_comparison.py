"""Result of comparing an implementation with the emulator bit by bit: compare.json of `econ-t check`."""

from __future__ import annotations

from pydantic import computed_field

from models.result import Result

RTL, ROUTED = "rtl", "routed"
TITLES = {"vitis": "HLS C++ (vitis)", "catapult": "HLS C++ (catapult)", RTL: "RTL (Verilog, simulated)",
          ROUTED: "RTL (routed netlist, simulated)"}
"""What implementations are called, by name of the backend."""


class StageComparison(Result):
    """One stage of the encoder: how many of its values differ."""

    stage: str
    n_values: int
    n_mismatches: int
    n_events: int
    """Events with at least one mismatch."""


class BackendComparison(Result):
    """All stages of one backend, and the first mismatch in words."""

    stages: tuple[StageComparison, ...]
    first_mismatch: str | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def equal(self) -> bool:
        """Whether every bit of every stage is equal."""
        return self.first_mismatch is None and not any(row.n_mismatches for row in self.stages)


class BitComparison(Result):
    """All backends on the same events."""

    config: str
    digest: str
    """Of the spec."""
    weights: str | None = None
    """Their digest."""
    arithmetic: str
    n_events: int
    backends: dict[str, BackendComparison]

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {'equal' if one.equal else 'differs'}" for name, one in self.backends.items())
        return f"<BitComparison of {self.config}: {found} in {self.n_events:,} events>"

    def is_of(self, weights: str) -> bool:
        """Whether it was made with the weights of this digest."""
        return self.weights == weights
