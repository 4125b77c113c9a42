"""The report of a run: one HTML page that works from the file system, made from what the run's folder holds."""

from __future__ import annotations

import json
import logging
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from models.config import Config
from models.errors import InputError
from models.files import atomic_path, write_text
from models.weights import EncoderWeights
from training.figures.style import as_svg, style
from training.report.hardware import hardware
from training.report.parts import Plot, Section
from training.report.sections import sections, verdict
from training.results import BitExactness, History, Metrics, Physics, Shape, read_as

FORMATS = ("pdf", "png")
_OF_WEIGHTS: dict[str, tuple[str, type[Shape], str]] = {
    "bit_exactness": ("compare.json", BitExactness, "make compare"),
    "metrics": ("metrics.json", Metrics, "make evaluate"),
    "physics": ("physics.json", Physics, "make physics"),
}
"""The parts of a report that belong to the weights: their files, and the commands that make them."""


def write_report(
    config: Config, run: str | Path, json_path: str | None = None, figures: Path | None = None,
    figure_format: str = "pdf", label: str = "",
) -> Path:
    """Write `report.html` into the folder of a run and return its path.

    Needs weights.npz and history.json; sections whose file is missing say which command makes it. `json_path` gets all
    that the page shows; `figures` is a folder for every figure in the style of experiments, under `label`. Raises
    InputError if a file of the run cannot be read, or one about hardware belongs to another spec.
    """
    run = Path(run)
    if figure_format not in FORMATS:
        raise InputError(f"--format {figure_format}, expected {' or '.join(FORMATS)}")
    content = gather(config, run)
    with style("page"):
        template = (resources.files("training.report") / "report.html").read_text(encoding="utf-8")
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                         lstrip_blocks=True)
        page = environment.from_string(template).render(
            config=content["config"], verdict=verdict(content), sections=sections(content), as_svg=as_svg)
    write_text(run / "report.html", page)
    if json_path:
        write_text(json_path, json.dumps(content, ensure_ascii=False) + "\n")
    if figures:
        _write_figures(content, figures, figure_format, label)
    return run / "report.html"


def gather(config: Config, run: Path) -> dict[str, Any]:
    """All that a report shows, as plain JSON; parts that were not run, or with other weights (`older`), are empty."""
    weights = EncoderWeights.load(run / "weights.npz", config.encoder)
    parts, older = {}, {}
    for part, (name, shape, command) in _OF_WEIGHTS.items():
        parts[part] = read_as(run / name, shape, optional=True)
        if not _is_of(parts[part], weights.digest()):
            parts[part] = {}
            older[part] = f"{name} was made from other weights than those of this run: {command}."
    spec = config.encoder
    formats = {"input": str(spec.input)}
    for name, layer in (("conv", spec.conv), ("dense", spec.dense)):
        formats |= {f"{name} weight, bias": f"{layer.weight}; {layer.bias}",
                    f"{name} product": str(layer.product or "exact"), f"{name} output": str(layer.output)}
    formats["latent sent"] = str(spec.latent)
    return {
        "config": {"name": config.name, "n_elinks": spec.n_elinks, "latent_bits": spec.latent_bits,
                   "arithmetic": spec.arithmetic, "digest": spec.digest(), "n_filters": spec.conv.filters},
        **parts,
        "older": older,
        "history": read_as(run / "history.json", History),
        "weights": {name: {"format": str(spec.weight_formats[name]).split()[0], "codes": codes.ravel().tolist(),
                           "min_code": spec.weight_formats[name].min_code,
                           "max_code": spec.weight_formats[name].max_code}
                    for name, codes in weights.arrays.items()},
        "hardware": hardware(config, run),
        "formats": formats,
    }


def _is_of(content: dict[str, Any], weights: str) -> bool:
    """Whether a part is of these weights, or of none; a comparison of several AE sets if one of them has them."""
    if "schemes" in content:
        has_encoders = any(scheme["algorithm"] == "AE" for scheme in content["schemes"])
        return not has_encoders or weights in content.get("weights", {}).values()
    return not content or content.get("weights") == weights


def _write_figures(content: dict[str, Any], folder: Path, figure_format: str, label: str) -> None:
    # PDF writers of matplotlib tell every font that they embed.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    with style("experiment"):
        for plot in (plot for section in sections(content) for plot in _plots(section)):
            if label:
                _add_label(plot.figure, label)
            with atomic_path(folder / f"{plot.name}.{figure_format}") as temporary:
                plot.figure.savefig(temporary, format=figure_format, dpi=200)


def _add_label(figure: Figure, label: str) -> None:
    """`CMS` and the label above the figure; over panels with titles there is no room within the axes."""
    import mplhep

    if figure.axes[0].get_title():
        figure.suptitle(f"CMS {label}", x=0.01, ha="left", fontsize=12)
    else:
        mplhep.cms.text(label, ax=figure.axes[0], fontsize=12)


def _plots(section: Section) -> list[Plot]:
    return [*section.plots, *(plot for child in section.children for plot in _plots(child))]
