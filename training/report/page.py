"""Report of a run: one self-contained HTML page, made from the files of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emulator.results import VectorCheck
from models.bit_comparison import BitComparison
from models.errors import InputError
from models.files import write_text
from models.provenance import provenance
from models.wording import counted
from training.figures.style import style
from training.physics.latent_maps import latent_maps
from training.report.commands import commands
from training.report.files import FORMATS, write_figures
from training.report.hardware import hardware
from training.report.interactive import explorer_data
from training.report.render import render
from training.report.sections import sections
from training.report.verdict import verdict
from training.results.comparison import Comparison
from training.results.evaluation import Evaluation
from training.results.report import About, Older, ReportContent, WeightCodes
from training.results.run import RunSummary
from training.results.trigger import TriggerStudy

if TYPE_CHECKING:
    from training.fit.run import Run


def write_report(
    run: Run, json_path: str | None = None, figures: Path | None = None, figure_format: str = "pdf", label: str = "",
    umap: bool = False,
) -> Path:
    """Write `report.html` into the folder of a run (of a shipped set: into runs/shipped) and return its path.

    Needs weights.npz and, unless it is a shipped set, history.json; sections whose file is missing say which command
    makes it. `json_path` gets all that the page shows; `figures` is a folder for every figure in the style of
    experiments, under `label`; `umap` adds a map of the latents by UMAP. Raises InputError if a file of the run cannot
    be read, or one about hardware belongs to another spec.

    Examples:
        >>> from training import Run, write_report
        >>> write_report(Run("econ_t_5elink")).as_posix()
        'runs/shipped/econ_t_5elink/report.html'
    """
    return write_page(gather(run, umap), run.report_file, json_path, figures, figure_format, label)


def write_page(
    content: ReportContent, path: Path, json_path: str | None = None, figures: Path | None = None,
    figure_format: str = "pdf", label: str = "",
) -> Path:
    """Write what was gathered for a report, as `write_report` does, and return the path of the page."""
    if figure_format not in FORMATS:
        raise InputError(f"--format {figure_format}, expected {' or '.join(FORMATS)}")
    with style("page"):
        config, links = content.config, counted(content.config.n_elinks, "link")
        histories = {config.name: content.history} if content.history else {}
        page = render(
            f"{config.name}: ECON-T autoencoder on {links}", f"ECON-T autoencoder on {links}: {config.name}",
            f"{counted(config.latent_bits, 'bit')} per latent, {config.arithmetic} arithmetic, spec {config.digest}; "
            f"trained on {config.data}", made=content.made, verdict=verdict(content), sections=sections(content),
            data=explorer_data(content.physics, histories, config.n_elinks))
    write_text(path, page)
    if json_path:
        content.save(json_path)
    if figures:
        write_figures(content, figures, figure_format, label)
    return path


def gather(run: Run, umap: bool = False) -> ReportContent:
    """Gather the content of a report; parts that were not run, or with other weights (`older`), are None."""
    weights, spec = run.weights, run.config.encoder
    exact, rtl = BitComparison.find(run.bit_comparison_file), BitComparison.find(run.rtl_comparison_file)
    metrics = Evaluation.find(run.metrics_file)
    physics = Comparison.find(run.comparison_file)
    trigger = TriggerStudy.find(run.trigger_file)
    digest, by = weights.digest(), commands(run)
    formats = {"input": str(spec.input)}
    for name, layer in (("conv", spec.conv), ("dense", spec.dense)):
        formats |= {f"{name} weight, bias": f"{layer.weight}; {layer.bias}",
                    f"{name} product": str(layer.product or "exact"), f"{name} output": str(layer.output)}
    formats["latent sent"] = str(spec.latent)
    return ReportContent(
        config=About(name=run.config.name, n_elinks=spec.n_elinks, latent_bits=spec.latent_bits,
                     arithmetic=spec.arithmetic, digest=spec.digest(), n_filters=spec.conv.filters,
                     data=_training_data(run)),
        bit_exactness=exact if exact and exact.is_of(digest) else None,
        rtl=rtl if rtl and rtl.is_of(digest) else None, vectors=VectorCheck.find(run.vectors_file),
        metrics=metrics if metrics and metrics.is_of(digest) else None,
        physics=physics if physics and physics.is_of(digest) else None,
        trigger=trigger if trigger and trigger.is_of(digest) else None,
        latent_maps=latent_maps(weights, run.test, umap) if run.test_file.exists() else None,
        older=Older(bit_exactness=_older(exact, digest, run.bit_comparison_file, by.bit_exactness),
                    rtl=_older(rtl, digest, run.rtl_comparison_file, by.rtl),
                    metrics=_older(metrics, digest, run.metrics_file, by.metrics),
                    physics=_older(physics, digest, run.comparison_file, by.physics),
                    trigger=_older(trigger, digest, run.trigger_file, by.trigger)), commands=by,
        history=None if run.is_shipped else run.history,
        weights={name: WeightCodes(format=str(spec.weight_formats[name]).split()[0],
                                   codes=tuple(codes.ravel().tolist()), min_code=spec.weight_formats[name].min_code,
                                   max_code=spec.weight_formats[name].max_code)
                 for name, codes in weights.arrays.items()},
        hardware=hardware(run), formats=formats, made=provenance())


def _training_data(run: Run) -> str:
    config, summary = run.config, RunSummary.find(run.summary_file)
    source = (summary.data if summary else None) or ", ".join(config.data.files) or config.data.source
    rows = (f": {summary.n_train:,} modules to train, {summary.n_validation:,} to validate, {summary.n_test:,} held out"
            if summary else "")
    return f"{source}{rows}; seed of the data {config.data.seed}, of the training {config.training.seed}"


def _older(
    part: BitComparison | Evaluation | Comparison | TriggerStudy | None, weights: str, path: Path, command: str
) -> str | None:
    if part is None or part.is_of(weights):
        return None
    return f"{path.name} was made from other weights than those of this run: {command}"
