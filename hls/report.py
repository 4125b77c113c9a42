"""What each implementation of a configuration takes: counted from the spec, or read from vendor reports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from hls.backends import BACKENDS
from hls.vendor_reports import CATAPULT, CSYNTH, VIVADO, read_catapult, read_csynth, read_vivado
from models.chip import BX_NS
from models.config import Config
from models.cost import cost, macs_in_image
from models.hardware import Implementation, Quantity

SPEC = "counted from the spec"
SILICON = ("published for the encoder of the ECON-T ASIC, triplicated: G. Di Guglielmo et al., "
           "IEEE Trans. Nucl. Sci. 68 (2021) 2179")


CHIP = Implementation(name="the chip's encoder in 65 nm", tool=SILICON, area="3.6 mm2", power="95 mW, 2.4 nJ per event",
                      latency_cycles=2, interval_cycles=1, clock_ns=BX_NS)
"""The published silicon."""


def counted(config: Config) -> list[Quantity]:
    """Quantities that follow from the spec alone: multiplications, weight registers, accumulators."""
    spec = config.encoder
    (conv, dense), counts = macs_in_image(spec), cost(spec)
    accumulators = (spec.conv_accumulator, spec.dense_accumulator)
    return [
        Quantity(quantity="multiplications per event", value=f"{conv:,} + {dense:,} = {conv + dense:,}", source=SPEC),
        Quantity(quantity="weight registers", source=SPEC,
                 value=f"{counts.parameters:,} codes = {counts.parameter_bits:,} bits"),
        Quantity(quantity="accumulators", source=SPEC,
                 value=" and ".join(str(form).split()[0] for form in accumulators)),
    ]


def implementations(projects: Mapping[str, Path], config: Config) -> list[Implementation]:
    """One row for each vendor report in a project folder, or one that says why there is none.

    `projects` maps a backend to the folder of its project. Raises InputError for an unreadable report, and for a folder
    that does not hold a project of `config`.

    Examples:
        >>> from hls import implementations
        >>> from models import Config
        >>> [row.name for row in implementations({}, Config.load("econ_t_5elink"))]  # of no project yet
        ['C++ (vitis)', 'C++ (catapult)']
    """
    rows = []
    for name, backend in BACKENDS.items():
        project = projects.get(name)
        if project is not None:
            backend.check(config, project)
        found = _vendor_rows(name, project) if project is not None else []
        if not found:
            why = "no report in the project" if backend.available() else f"{backend.missing()}; where it is installed"
            how = f": econ-t synth --project {shlex.quote(str(project))} --backend {name}" if project else \
                ", econ-t convert and then econ-t synth"
            found = [Implementation(name=f"C++ ({name})", tool=why + how)]
        rows += found
    return rows


def _vendor_rows(backend: str, project: Path) -> list[Implementation]:
    name = f"C++ ({backend})"
    if backend == "catapult":
        return [read_catapult(path, name) for path in _newest(project, CATAPULT)]
    rows = [read_csynth(path, name) for path in _newest(project, CSYNTH)]
    for path in _newest(project, VIVADO):
        measured = read_vivado(path, path.with_name("vivado_timing.rpt"), f"{name}, its Verilog")
        # Logic synthesis does not change the clocks of the schedule.
        rows.append(measured.model_copy(update={"latency_cycles": rows[0].latency_cycles,
                                                "interval_cycles": rows[0].interval_cycles}) if rows else measured)
    return rows


def _newest(project: Path, pattern: str) -> list[Path]:
    """The newest file of a pattern, if there is one: tools number their solutions."""
    return sorted(project.glob(pattern), key=lambda path: path.stat().st_mtime)[-1:]
