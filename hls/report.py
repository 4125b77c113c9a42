"""What each implementation of a configuration takes: counted from the spec, read from vendor reports, or said not to be
there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hls.backends import BACKENDS
from hls.vendor_reports import read_catapult, read_csynth, read_vivado
from models.config import Config
from models.trigger_cells import IMAGE_SIZE

BX_NS = 25.0
"""One bunch crossing."""

SPEC = "counted from the spec"
SILICON = ("published for the encoder of the ECON-T ASIC, triplicated: G. Di Guglielmo et al., "
           "IEEE Trans. Nucl. Sci. 68 (2021) 2179")


@dataclass(frozen=True)
class Figure:
    """A quantity of the spec itself, its value with unit, and where the value comes from."""

    quantity: str
    value: str
    source: str


@dataclass(frozen=True)
class Implementation:
    """One row of the hardware table. What the tool does not say, or what was not run, is None."""

    name: str
    tool: str
    """Tool, version and what it did; of a row without figures the command that makes them."""
    lut: int | None = None
    ff: int | None = None
    dsp: int | None = None
    bram: float | None = None
    """Blocks of 18 kbit."""
    nand2: int | None = None
    area: str = ""
    """In a unit of the tool's own."""
    power: str = ""
    latency_cycles: int | None = None
    interval_cycles: int | None = None
    clock_ns: float | None = None
    fmax_mhz: float | None = None
    """Estimated largest clock frequency."""

    @property
    def absent(self) -> bool:
        """Nothing was measured: `tool` says how to change that."""
        return all(getattr(self, one.name) in (None, "") for one in fields(self) if one.name not in ("name", "tool"))

    @property
    def latency_ns(self) -> float | None:
        if self.latency_cycles is None or self.clock_ns is None:
            return None
        return self.latency_cycles * self.clock_ns

    @property
    def latency_bx(self) -> float | None:
        """Bunch crossings from charges to output; a part of one counts as a part."""
        return None if self.latency_ns is None else self.latency_ns / BX_NS

    def summary(self) -> str:
        """The figures that are there, in words."""
        counts = [(self.lut, "LUT"), (self.ff, "FF"), (self.dsp, "DSP"), (self.bram, "BRAM18"), (self.nand2, "NAND2")]
        parts = [f"{number:,} {unit}" for number, unit in counts if number is not None]
        parts += [text for text in (self.area, self.power) if text]
        if self.latency_cycles is not None:
            time = "" if self.latency_ns is None else f" = {self.latency_ns:g} ns = {self.latency_bx:g} BX"
            parts.append(f"latency {self.latency_cycles} clocks{time}")
        parts += [f"initiation interval {self.interval_cycles}"] if self.interval_cycles is not None else []
        parts += [f"at most {self.fmax_mhz:.4g} MHz"] if self.fmax_mhz is not None else []
        return ", ".join(parts) or "-"

    def to_json(self) -> dict[str, Any]:
        """All fields and what follows from them."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**own, "latency_ns": self.latency_ns, "latency_bx": self.latency_bx, "absent": self.absent}


CHIP = Implementation("the chip's encoder in 65 nm", SILICON, area="3.6 mm2", power="95 mW, 2.4 nJ per event",
                      latency_cycles=2, interval_cycles=1, clock_ns=BX_NS)
"""The published silicon."""


def counted_figures(config: Config) -> list[Figure]:
    """What follows from the spec alone: multiplications, weight registers, accumulators."""
    spec = config.encoder
    # "same" padding at the bottom and right: the products with padding are no multiplications.
    inside = sum(1 for pixel in range(spec.conv.size) for k in range(spec.conv.kernel)
                 if 0 <= pixel * spec.conv.stride + k - spec.conv.padding[0] < IMAGE_SIZE)
    conv = inside**2 * spec.conv.filters
    dense = spec.n_hidden * spec.dense.outputs
    sizes = {name: math.prod(shape) for name, shape in spec.weight_shapes.items()}
    bits = sum(size * spec.weight_formats[name].width for name, size in sizes.items())
    accumulators = (spec.conv_accumulator, spec.dense_accumulator)
    return [
        Figure("multiplications per event", f"{conv} + {dense} = {conv + dense}", SPEC),
        Figure("weight registers", f"{sum(sizes.values())} codes = {bits} bits", SPEC),
        Figure("accumulators", " and ".join(str(form).split()[0] for form in accumulators), SPEC),
    ]


def implementations(projects: Mapping[str, Path], config: Config) -> list[Implementation]:
    """One row per vendor report that a project folder holds, or one that says why there is none.

    `projects` maps a backend to the folder of its project. Raises InputError for a report that cannot be read, and for
    a folder without a project of `config`.
    """
    rows = []
    for name, backend in BACKENDS.items():
        project = projects.get(name)
        if project is not None:
            backend.check(config, project)
        found = _vendor_rows(name, project) if project is not None else []
        if not found:
            state = "no report in the project: make hls-synth" if backend.available() else \
                f"{backend.missing()}; make hls-synth where it is"
            found = [Implementation(f"C++ ({name})", state)]
        rows += found
    return rows


def _vendor_rows(backend: str, project: Path) -> list[Implementation]:
    name = f"C++ ({backend})"
    if backend == "catapult":
        return [Implementation(name, **read_catapult(path)) for path in _newest(project, "**/rtl.rpt")]
    rows = [Implementation(name, **read_csynth(path)) for path in _newest(project, "**/syn/report/econ_t_csynth.xml")]
    for path in _newest(project, "vivado_utilization.rpt"):
        measured = Implementation(f"{name}, its Verilog", **read_vivado(path, path.with_name("vivado_timing.rpt")))
        # What a schedule says about clocks, logic synthesis does not change.
        rows.append(replace(measured, latency_cycles=rows[0].latency_cycles, interval_cycles=rows[0].interval_cycles)
                    if rows else measured)
    return rows


def _newest(project: Path, pattern: str) -> list[Path]:
    """The file of the pattern that was written last, if there is one: tools number their solutions."""
    return sorted(project.glob(pattern), key=lambda path: path.stat().st_mtime)[-1:]
