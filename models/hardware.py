"""Rows of the hardware table: what one implementation of an encoder takes, whichever tool measured it."""

from __future__ import annotations

from pydantic import computed_field

from models.chip import BX_NS
from models.result import Result
from models.wording import counted


class Quantity(Result):
    """A number of the spec itself, with its unit, and where it comes from."""

    quantity: str
    value: str
    source: str


class Implementation(Result):
    """One row of the hardware table. What the tool does not say, or what was not run, is None."""

    name: str
    tool: str
    """Tool, version and what it did; of a row without values the command that makes them."""
    lut: int | None = None
    ff: int | None = None
    dsp: int | None = None
    bram: int | float | None = None
    """Blocks of 18 kbit."""
    nand2: int | None = None
    area: str | None = None
    """In a unit of the tool's own."""
    power: str | None = None
    latency_cycles: int | None = None
    interval_cycles: int | None = None
    clock_ns: float | None = None
    fmax_mhz: float | None = None
    """Estimated largest clock frequency."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def latency_ns(self) -> float | None:
        """Time from charges to output."""
        if self.latency_cycles is None or self.clock_ns is None:
            return None
        return self.latency_cycles * self.clock_ns

    @computed_field  # type: ignore[prop-decorator]
    @property
    def latency_bx(self) -> float | None:
        """Bunch crossings from charges to output; a part of one counts as a part."""
        return None if self.latency_ns is None else self.latency_ns / BX_NS

    @computed_field  # type: ignore[prop-decorator]
    @property
    def absent(self) -> bool:
        """Nothing was measured: `tool` says how to change that."""
        return all(getattr(self, name) is None for name in Implementation.model_fields if name not in ("name", "tool"))

    def __repr__(self) -> str:
        return f"<Implementation {self.name}: {self.tool if self.absent else self.summary()}>"

    def summary(self) -> str:
        """The values that are there, in words."""
        counts = [(self.lut, "LUT"), (self.ff, "FF"), (self.dsp, "DSP"), (self.bram, "BRAM18"), (self.nand2, "NAND2")]
        parts = [f"{number:,} {unit}" for number, unit in counts if number is not None]
        parts += [text for text in (self.area, self.power) if text]
        if self.latency_cycles is not None:
            time = "" if self.latency_ns is None else f" = {self.latency_ns:g} ns = {self.latency_bx:g} BX"
            parts.append(f"latency {counted(self.latency_cycles, 'clock')}{time}")
        parts += [f"initiation interval {self.interval_cycles}"] if self.interval_cycles is not None else []
        parts += [f"at most {self.fmax_mhz:.4g} MHz"] if self.fmax_mhz is not None else []
        return ", ".join(parts) or "-"
