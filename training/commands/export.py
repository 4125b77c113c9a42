"""Command `export`: write encoder and decoder as graphs for other programs, or for the experiment's software."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.calq_io import column_order, read_calq
from models.console import result_console, say
from models.errors import InputError
from models.options import JsonFile
from training.commands.console import log_to_console, show_records
from training.fit.run import Run
from training.results.software import SoftwareExport
from training.studies.software_fragment import FRAGMENT_FILE, INSTALLED


def export(
    run: Annotated[list[Path], typer.Option(help="Folder of a training run; with --cmssw, one per number of links.")],
    output: Annotated[Path | None, typer.Option(help="Folder to write; default: RUN/graphs, or RUN/cmssw of the first "
                                                     "run.")] = None,
    cmssw: Annotated[bool, typer.Option("--cmssw", help="Write what the experiment's software reads, and check it.")
                     ] = False,
    input: Annotated[list[str] | None, typer.Option(help="CALQ file to check with; may be repeated. Default: held-out "
                                                         "modules of each run.")] = None,
    order: Annotated[str | None, typer.Option(help="Order of the CALQ columns, tc or image; default: that of the first "
                                                   "run.")] = None,
    installed: Annotated[str, typer.Option(help="Folder in which the software finds the graphs.")
                         ] = INSTALLED,
    sources: Annotated[Path | None, typer.Option(help="Folder src of a checkout of the experiment's software: its own "
                                                      "concentrator is compiled and runs the graphs too.")] = None,
    json_: JsonFile = None,
) -> None:
    """Write SavedModels, frozen graphs and ONNX files of encoder and decoder, and check them by reading them back.

    With --cmssw: graphs of all runs as the experiment's software reads them, its configuration, a Triton model
    repository, and a check that decodes as the software does; exits with 1 if that differs from our own decoding.
    With --sources, the software's own C++ file decodes too, and is held against that check.

    Examples: econ-t export --run runs/econ_t_5elink

    econ-t export --cmssw --run runs/econ_t_2elink --run runs/econ_t_5elink --output cmssw
    """
    log_to_console()
    runs = [Run(folder) for folder in run]
    if cmssw:
        _export_software(runs, output or runs[0].software_folder, input or [], order, installed, sources, json_)
        return
    if len(runs) > 1:
        raise InputError(f"{len(runs)} runs, expected one; --cmssw exports several")
    for option, given in (("--input", input), ("--order", order), ("--sources", sources), ("--json", json_)):
        if given:
            raise InputError(f"{option} needs --cmssw")
    weights = runs[0].weights
    from training.networks.graphs import export_graphs  # noqa: PLC0415  (starts TensorFlow)

    export_graphs(weights.spec, weights, runs[0].decoder, output or runs[0].graphs_folder)


def _export_software(
    runs: list[Run], output: Path, files: list[str], order: str | None, installed: str, sources: Path | None,
    json_: str | None,
) -> None:
    columns = column_order(order, runs[0].config.data.order)
    samples = {Path(name).name: read_calq(name, columns) for name in files}
    from training.studies.software import export_software  # noqa: PLC0415  (starts TensorFlow)

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns about retracing and TensorFlow 1 functions
    result = export_software(runs, output, samples, installed, sources)
    console = result_console(json_)
    _show(console, result, output / FRAGMENT_FILE)
    if json_:
        result.save(json_)
    for one in result.checks:
        if one.emd_whole_conditions is not None:
            console.print(f"{one.name}, {one.data}: if the software divides waferu, waferv and layer as integers, the "
                          f"EMD is {one.emd_whole_conditions:.3f}")
    for problem in result.problems:
        say(f"check failed: {problem}")
    if result.problems:
        raise SystemExit(1)


def _show(console: Console, result: SoftwareExport, fragment: Path) -> None:
    table = result.table
    show_records(console, f"bits per latent and graphs by links: {fragment}", [
        {"links": str(n), "graph": str(graph), "of": table.classes[graph].name, "bits": bits,
         "trained for": n not in table.untrained_links}
        for n, (graph, bits) in enumerate(zip(table.link_to_graph, table.bits_per_link, strict=True))])
    show_records(console, "decoded as the software does, beside our own decoding", [
        {"graphs": one.name, "data": one.data, "modules": f"{one.n_modules:,}",
         "with other latents": f"{one.n_latents_differ:,}", "cells with charge": one.cells, "energy": one.energy,
         "EMD": one.emd, "our EMD": one.emd_own} for one in result.checks])
    if result.concentrator:
        show_records(console, f"decoded by {result.source}, beside the stand-in for it", [
            {"graphs": one.name, "data": one.data, "modules": f"{one.n_modules:,}",
             "with other latents": f"{one.n_latents_differ:,}", "with other cells": f"{one.n_cells_differ:,}",
             "energy": one.energy, "expected energy": one.energy_expected, "EMD": one.emd,
             "expected EMD": one.emd_expected} for one in result.concentrator])
