"""Command `report`: write the HTML page of a run, or one page of many runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from models.configured import find_config
from models.console import say
from models.errors import InputError
from models.options import JsonFile
from training.commands.console import emd_progress, show_remarks
from training.commands.options import RunConfig
from training.fit.compare import compare as compare_runs
from training.fit.run import Run
from training.physics.wording import verdict_line


def report(
    runs: Annotated[list[Path] | None, typer.Argument(help="With --compare: folders of runs, or names of shipped "
                                                           "sets.")] = None,
    run: Annotated[Path | None, typer.Option(help="Folder of a training run, or the name of a shipped set.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="One page of all RUNS with their ranking.")] = False,
    config: RunConfig = None,
    input: Annotated[list[str] | None, typer.Option(help="With --compare: CALQ file or folder; may be repeated. "
                                                         "Default: the modules that the first run held out.")] = None,
    n_modules: Annotated[int, typer.Option(min=1, help="With --compare: number of rows to use.")] = 2000,
    output: Annotated[Path, typer.Option(help="With --compare: the page to write.")] = Path("runs/comparison.html"),
    json_: JsonFile = None,
    figures: Annotated[Path | None, typer.Option(help="Also write each figure into this folder.")] = None,
    format: Annotated[str, typer.Option(help="Format of the files in --figures: pdf or png.")] = "pdf",
    umap: Annotated[bool, typer.Option("--umap", help="Also a map of the latents by UMAP, which needs "
                                                      "umap-learn.")] = False,
    label: Annotated[str, typer.Option(help="Text after CMS above the files in --figures.")] = "",
) -> None:
    """Write the HTML page of a run, RUN/report.html, or of many runs; it needs neither network nor other files.

    The verdict in one line goes to stderr, the path of the page to stdout. That of a shipped set is
    runs/shipped/NAME/report.html. Many runs are compared on the same modules.

    Example: econ-t report --run runs/econ_t_5elink --figures plots --format png

    econ-t report --compare runs/econ_t_2elink runs/econ_t_5elink --output runs/comparison.html
    """
    if compare:
        if run or config or figures or umap:
            raise InputError("--compare takes folders of runs alone, without --run, --config, --figures and --umap")
        typer.echo(_compare(runs or (), input, n_modules, output, json_))
        return
    if run is None or runs:
        raise InputError("expected --run and one folder, or --compare and the folders of several runs")
    from training.report.page import gather, write_page  # noqa: PLC0415  (Matplotlib, which --help does without)
    from training.report.verdict import headline, verdict  # noqa: PLC0415  (the same)

    trained = Run(run)
    chosen = Run(trained.folder, find_config(trained.weights_file, config), new=True)
    content = gather(chosen, umap)
    page = write_page(content, chosen.report_file, json_, figures, format, label)
    show_remarks([line.text for line in verdict(content) if line.kind == "bad"])
    say(headline(content))
    typer.echo(page, err=json_ == "-")


def _compare(
    folders: Sequence[Path], files: Sequence[str] | None, n_modules: int, output: Path, json_path: str | None
) -> Path:
    """Compare runs on the same modules, write the page and return its path."""
    from training.report.runs import write_runs_report  # noqa: PLC0415  (Matplotlib, which --help does without)

    if not folders:
        raise InputError("--compare: no folder of a run is given, expected at least one")
    runs = [Run(folder) for folder in folders]
    table = runs[0].modules(files).rows(slice(0, n_modules))
    if len(files or ()) > 1:
        say(f"{table.source}: pooled into one sample")
    physics = compare_runs(runs, table, sorted({run.config.encoder.n_elinks for run in runs}), progress=emd_progress)
    if json_path:
        physics.save(json_path)
    page = write_runs_report(dict(zip(physics.weights, runs, strict=True)), physics, output)
    show_remarks(physics.remarks)
    say(f"{verdict_line(physics)}.")
    return page
