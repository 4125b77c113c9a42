"""Resources and latency of a project: what is exact, what a vendor tool measured, and what was not run."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from hls.backends import BACKENDS
from models.config import Config
from models.errors import InputError
from models.trigger_cells import IMAGE_SIZE

SPEC = "counted from the spec"
SILICON = "published for the ECON-T ASIC (65 nm LP CMOS, triplicated)"


@dataclass(frozen=True)
class Figure:
    """One line of the hardware table: a quantity, its value with unit, and where the value comes from."""

    quantity: str
    value: str
    source: str


def hardware_figures(config: Config, projects: dict[str, Path] | None = None) -> list[Figure]:
    """All figures that can be had honestly: `projects` maps a backend to its project folder, for vendor reports."""
    figures = _counted(config)
    for name, backend in BACKENDS.items():
        report = vendor_report(name, (projects or {}).get(name))
        if report:
            figures += report
        else:
            state = "no report in the project: run make hls-synth" if backend.available() else backend.missing()
            figures.append(Figure(f"synthesis ({name})", "-", state))
    return figures + [
        Figure("area of the chip's encoder", "3.6 mm2", SILICON),
        Figure("power of the chip's encoder", "95 mW", SILICON),
        Figure("energy per inference", "2.4 nJ", SILICON),
        Figure("latency of the chip's encoder", "2 BX = 50 ns, initiation interval 1 BX", SILICON),
    ]


def _counted(config: Config) -> list[Figure]:
    spec = config.encoder
    # "same" padding at the bottom and right: the products with padding are no multiplications.
    inside = sum(1 for pixel in range(spec.conv.size) for k in range(spec.conv.kernel)
                 if 0 <= pixel * spec.conv.stride + k - spec.conv.padding[0] < IMAGE_SIZE)
    conv = inside**2 * spec.conv.filters
    dense = spec.n_hidden * spec.dense.outputs
    n_weights = sum(codes for codes in map(_size, spec.weight_shapes.values()))
    accumulators = (spec.conv_accumulator, spec.dense_accumulator)
    bits = sum(_size(shape) * spec.weight_formats[name].width for name, shape in spec.weight_shapes.items())
    return [
        Figure("multiplications per event", f"{conv} + {dense} = {conv + dense}", SPEC),
        Figure("weight registers", f"{n_weights} codes = {bits} bits", SPEC),
        Figure("accumulators", " and ".join(str(form).split()[0] for form in accumulators), SPEC),
    ]


def _size(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def vendor_report(backend: str, project: Path | None) -> list[Figure]:
    """Figures of the vendor tool's own report in a project folder; empty if there is none."""
    if project is None or backend != "vitis":
        return []
    found = sorted(project.glob("**/syn/report/econ_t_csynth.xml"))
    return read_csynth(found[0]) if found else []


def read_csynth(path: Path) -> list[Figure]:
    """Read `econ_t_csynth.xml` of Vitis HLS; raises InputError naming the missing element."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not readable as XML: {error}") from None

    def text(place: str) -> str:
        value = root.findtext(place)
        if value is None:
            raise InputError(f"{path}: element {place} is missing, expected a Vitis HLS synthesis report")
        return value

    source = f"Vitis HLS {root.findtext('ReportVersion/Version', 'of unknown version')}, C synthesis"
    latency = "PerformanceEstimates/SummaryOfOverallLatency"
    figures = [Figure(f"{name} (vitis)", text(f"AreaEstimates/Resources/{name}"), source)
               for name in ("LUT", "FF", "DSP", "BRAM_18K")]
    return [
        *figures,
        Figure("latency (vitis)", f"{text(f'{latency}/Worst-caseLatency')} clock cycles", source),
        Figure("initiation interval (vitis)", f"{text(f'{latency}/Interval-max')} clock cycles", source),
        Figure("clock period (vitis)",
               f"{text('PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod')} ns estimated", source),
    ]
