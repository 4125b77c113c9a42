"""The report of a run: one HTML page that works from the file system, made from what the run's folder holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from hls.report import hardware_figures
from models.config import Config
from models.errors import InputError
from models.files import write_text
from models.weights import EncoderWeights
from training.figures import as_svg, learning_curves, weight_histograms


@dataclass(frozen=True)
class Column:
    """A column of a table: key of the row, title, and whether it holds numbers."""

    key: str
    title: str
    number: bool = False


@dataclass(frozen=True)
class Section:
    """A titled part of the page: text, inline SVG figures, one table."""

    title: str
    text: str = ""
    figures: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """One line of the verdict; kind is good, bad or soft."""

    kind: str
    text: str


def write_report(config: Config, run: str | Path) -> Path:
    """Write `report.html` into the folder of a run and return its path.

    Needs weights.npz and history.json; sections whose file is missing say which command makes it. Raises InputError if
    a file of the run belongs to another spec.
    """
    run = Path(run)
    weights = EncoderWeights.load(run / "weights.npz", config.encoder)
    history = _read_json(run / "history.json")
    comparison = _read_json(run / "compare.json", optional=True)
    metrics = _read_json(run / "metrics.json", optional=True)
    if comparison and comparison["digest"] != config.encoder.digest():
        raise InputError(f"{run / 'compare.json'}: spec {comparison['digest']}, expected {config.encoder.digest()}")
    sections = [
        _bit_exactness(comparison),
        _physics(metrics),
        Section("Learning curves", _learning_text(history), [as_svg(learning_curves(history))]),
        Section("Weights", "How often each code occurs. At the ends of the range training met the limit of six bits.",
                [as_svg(weight_histograms(weights))]),
        _hardware(config, run),
        _formats(config),
    ]
    template = (resources.files("training") / "templates" / "report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(template).render(
        config=config, verdict=_verdict(comparison, metrics), sections=sections
    )
    write_text(run / "report.html", page)
    return run / "report.html"


def _read_json(path: Path, optional: bool = False) -> dict[str, Any]:
    if optional and not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, expected an object")
    return content


def _verdict(comparison: dict[str, Any], metrics: dict[str, Any]) -> list[Line]:
    lines = []
    for backend, result in comparison.get("backends", {}).items():
        if result["equal"]:
            lines.append(Line("good", f"emulator = HLS C++ ({backend}): every bit of every stage of "
                                      f"{comparison['n_events']:,} events"))
        else:
            lines.append(Line("bad", f"emulator and HLS C++ ({backend}) differ: {result['first_mismatch']}"))
    if not comparison:
        lines.append(Line("soft", "emulator and HLS not compared: run make compare"))
    if "emd_mean" in metrics:
        lines.append(Line("", f"mean EMD {metrics['emd_mean']:.3f}, median {metrics['emd_median']:.3f} on "
                              f"{metrics['n_modules']:,} held-out modules with a cell above one MIP"))
    return lines


def _bit_exactness(comparison: dict[str, Any]) -> Section:
    rows = [{"backend": backend, **stage} for backend, result in comparison.get("backends", {}).items()
            for stage in result["stages"]]
    text = ("Integer codes of the emulator against those of the compiled C++." if rows else "Not run: make compare.")
    columns = [Column("backend", "backend"), Column("stage", "stage"), Column("n_values", "values", True),
               Column("n_mismatches", "mismatches", True), Column("n_events", "events with mismatch", True)]
    return Section("Bit-exactness", text, columns=columns, rows=rows)


def _physics(metrics: dict[str, Any]) -> Section:
    text = ("The earth mover's distance between input and decoded charge map, in sensor-cell pitches; the latents are "
            "the emulator's integers." if metrics else "Not run: make evaluate.")
    rows = [{"name": name, "value": f"{value:.4g}" if isinstance(value, float) else value}
            for name, value in metrics.items()]
    return Section("Physics performance", text, columns=[Column("name", "quantity"), Column("value", "value", True)],
                   rows=rows)


def _learning_text(history: dict[str, Any]) -> str:
    return f"{len(history['loss'])} epochs; the best validation loss is {min(history['val_loss']):.4g}."


def _hardware(config: Config, run: Path) -> Section:
    projects = {path.name.removeprefix("hls_"): path for path in run.glob("hls_*")}
    rows = [vars(figure) for figure in hardware_figures(config, projects)]
    return Section("Resources and latency", "Each figure names what produced it; nothing here is a guess.",
                   columns=[Column("quantity", "quantity"), Column("value", "value"), Column("source", "source")],
                   rows=rows)


def _formats(config: Config) -> Section:
    spec = config.encoder
    rows = [{"what": "input", "format": str(spec.input)}]
    for name, layer in (("conv", spec.conv), ("dense", spec.dense)):
        rows += [{"what": f"{name} weight, bias", "format": f"{layer.weight}; {layer.bias}"},
                 {"what": f"{name} product", "format": str(layer.product or "exact")},
                 {"what": f"{name} output", "format": str(layer.output)}]
    rows.append({"what": "latent sent", "format": str(spec.latent)})
    return Section("Number formats", "As in the configuration: sign, integer bits (with sign), fractional bits.",
                   columns=[Column("what", "what"), Column("format", "format")], rows=rows)
