"""Command `audit`: what an encoder from elsewhere sends, and what is left of it on the chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.config import Config
from models.console import result_console, write_csv
from models.errors import InputError
from models.options import CalqFiles, CsvFile, JsonFile
from training.commands.console import log_to_console, show_ways


def audit(
    encoder: Annotated[Path, typer.Option(help="Keras model (.h5, .hdf5, .keras), frozen graph (.pb), SavedModel "
                                               "folder, pickle of arrays (.pkl), weights.npz or register file.")],
    input: CalqFiles,
    config: Annotated[str, typer.Option(help="Configuration of the link budget.")] = "econ_t_5elink",
    decoder: Annotated[Path | None, typer.Option(help="decoder.npz, a Keras decoder (.h5, .keras), or a frozen graph "
                                                      "(.pb); default: a fresh one for each way of computing the "
                                                      "latents.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the frozen graph of --decoder in TensorFlow, whatever nodes "
                                                    "it has.")] = False,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a fresh decoder.")] = 700,
    architecture: Annotated[Path | None, typer.Option(help="Architecture of weights alone (JSON, YAML); default: the "
                                                           "one beside them.")] = None,
    rows: Annotated[int, typer.Option(min=20, help="Number of rows to read of each file.")] = 10_000,
    order: Annotated[str, typer.Option(help="Order of the CALQ columns, tc or image.")] = "tc",
    output: Annotated[Path | None, typer.Option(help="Also write a page (HTML).")] = None,
    json_: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Audit an encoder: is it trained, what does it send, and what does the chip make of it.

    Its latents are computed in its own arithmetic, with negatives cut as the chip does, and by the chip's integers; the
    EMD of each is that of half of the modules. Files are read as data; only --run runs a graph.

    Example: econ-t audit --encoder encoder.h5 --input calq.csv --output audit.html --json audit.json
    """
    log_to_console()
    modules = read_calq(input, column_order(order, "tc"), rows)
    if output and output.suffix != ".html":
        raise InputError(f"{output}: expected a name that ends in .html")
    spec = Config.load(config).encoder
    from training.report.audit_page import write_audit  # noqa: PLC0415  (Matplotlib, which --help does without)
    from training.studies.audit import audit as run_audit  # noqa: PLC0415  (starts TensorFlow)

    found = run_audit(encoder, spec, modules, decoder=decoder, steps=steps,
                      architecture=architecture, run=run)
    console = result_console(json_, csv)
    for line in (*found.notes, *found.differences, *([found.untrained] if found.untrained else [])):
        console.print(line)
    show_ways(console, f"{found.file} on {found.n_modules:,} modules of {found.data}, decoder: {found.decoder}",
              found.ways)
    console.print(found.verdict)
    if output:
        write_audit(found, output)
    if json_:
        found.save(json_)
    if csv:
        write_csv(csv, [one.model_dump() for one in found.ways])
