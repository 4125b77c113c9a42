"""Command `compare`: run every scheme, show the tables, write JSON and CSV."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy.typing as npt
import typer
from rich.console import Console

from models.calq_io import CalqTable, column_order, read_calq, write_calq, write_latents
from models.console import Column, result_console, show_table, write_csv
from models.errors import InputError
from models.options import CsvFile, JsonFile
from models.result import ResultList
from models.trigger_cells import image_order, to_trigger_cells
from models.wording import counted
from training.commands.console import emd_progress, show_remarks
from training.commands.head_to_head import show_head_to_head
from training.commands.options import EmdProcesses, HeldOut
from training.data.dataset import held_out_rows
from training.data.modules import generated_modules
from training.fit.compare import compare as run_comparison
from training.fit.compare import head_to_head, shipped_runs
from training.fit.run import Run
from training.physics.evaluation import shown
from training.physics.schemes import MIN_THRESHOLD_CALQ, Scheme, load_autoencoder
from training.physics.wording import verdict_lines, with_error
from training.results.comparison import Comparison

SHOWN = ("energy_response", "largest_cell", "centroid", "width", "correlation", "occupancy_kept")
"""Metrics in the table on the terminal besides the EMD; the last ones go first where it is narrow."""
_PAIR = 2


def compare(
    two: Annotated[list[Path] | None, typer.Argument(metavar="A B", help="Two runs or shipped sets, compared head to "
                                                                           "head with paired errors.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="Folder of a run or name of a shipped set (AE); "
                                                    "may be repeated.")] = None,
    input: Annotated[list[str] | None, typer.Option(help="CALQ file or folder; may be repeated.")] = None,
    order: Annotated[str | None, typer.Option(help="Order of the CALQ columns, tc or image; default: that of the first "
                                                   "run, else tc.")] = None,
    n_modules: Annotated[int | None, typer.Option(min=1, help="Number of rows to use of each --input; "
                                                              "without, of modules to generate (5000).")] = None,
    data_seed: Annotated[int, typer.Option(min=0, help="Seed of the generator.")] = 1001,
    decoder: Annotated[list[Path] | None, typer.Option(help="Compact decoder of one of the runs, a further scheme; may "
                                                            "be repeated.")] = None,
    links: Annotated[list[int] | None, typer.Option(min=1, max=13, help="Link budget; may be repeated. Default: 2 to 5 "
                                                                        "and those of the runs.")] = None,
    min_charge: Annotated[float, typer.Option(min=0, help="Select modules and cells with more CALQ than this.")] = 35,
    drop_lsb: Annotated[int, typer.Option(min=0, max=4, help="Low bits that the chip drops from charges.")] = 0,
    ts_threshold: Annotated[list[int] | None, typer.Option(min=0, help="Threshold of TS in CALQ; may be repeated. "
                                                                       "Default: 47.")] = None,
    ts_cut: Annotated[float, typer.Option(min=0, max=1, help="Fraction of frames that a fitted TS may lose.")] = 0.001,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 1,
    shipped: Annotated[bool, typer.Option("--shipped", help="Also compare the shipped sets in the chip's arithmetic "
                                                            "that are of one of the link budgets.")] = False,
    held_out: HeldOut = False,
    json_: JsonFile = None,
    csv: CsvFile = None,
    n_csv: Annotated[int, typer.Option("--nCSV", min=0, help="Number of rows of input, latent and output to write "
                                                             "into RUN/csv of each run.")] = 0,
    n_processes: EmdProcesses = None,
) -> None:
    """Compare all algorithms of the chip on the same modules, bit by bit through chip and frame decoder.

    AE needs runs; TS, BC, STC and RPT do not. Rows are consecutive bunch crossings of one chip. Each --input is a
    sample of its own, with its own tables, and --json then holds a list. Two runs as arguments are compared with each
    other alone, module by module; several --input are then samples side by side.

    Examples: econ-t compare --run runs/econ_t_5elink --input runs/econ_t_5elink/test.csv --json physics.json

    econ-t compare runs/a runs/b --input busy.csv --input sparse.csv --json a_b.json
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns about retracing when there are many decoders
    console = result_console(json_, csv)
    if two:
        if len(two) != _PAIR or run or links or decoder or shipped or n_csv:
            raise InputError(f"{counted(len(two), 'argument')}, expected two runs to compare head to head, without "
                             "--run, --links, --decoder, --shipped and --nCSV")
        pair = (Run(two[0]), Run(two[1]))
        samples = _samples(input, order, pair[0].config.data.order, n_modules, data_seed, held_out)
        paired = head_to_head(pair, samples, min_charge=min_charge, seed=seed, progress=emd_progress,
                              n_processes=n_processes)
        show_head_to_head(console, paired)
        if json_:
            paired.save(json_)
        if csv:
            write_csv(csv, paired.records())
        return
    runs = [Run(folder) for folder in run or []]
    if shipped:
        named = {one.folder for one in runs}
        runs += [one for one in shipped_runs(links) if one.folder not in named]
    configured = runs[0].config.data.order if runs else "tc"
    if held_out and not input:
        raise InputError("--held-out is about the rows of a file, expected --input")
    if n_csv and len(input or ()) > 1:
        raise InputError(f"--nCSV {n_csv} is about the rows of one --input, given {len(input or ())}")
    tables = _samples(input, order, configured, n_modules, data_seed, held_out)
    results = [run_comparison(
        runs, table, links or (), decoders=decoder or (), progress=emd_progress, n_processes=n_processes,
        min_charge=min_charge, dropped_bits=drop_lsb, max_cut=ts_cut,
        thresholds=tuple(ts_threshold or [MIN_THRESHOLD_CALQ]), seed=seed) for table in tables]
    for result in results:
        show_comparison(console, result)
    if json_:
        (results[0] if len(results) == 1 else ResultList[Comparison](tuple(results))).save(json_)
    if csv:
        write_csv(csv, [{**row, "data": result.data} for result in results for row in result.records()])
    for one in runs if n_csv else []:
        write_modules(one.modules_folder, load_autoencoder(one), to_trigger_cells(tables[0].calq[:n_csv]))


def _samples(
    files: Sequence[str] | None, order: str | None, configured: Any, n_modules: int | None, seed: int, held_out: bool
) -> list[CalqTable]:
    """Each input is a sample of its own: what is best for a mixture of them is best for neither."""
    if not files:
        return [generated_modules(n_modules or 5000, seed)]
    columns = column_order(order, configured)
    if held_out:
        return [held_out_rows(read_calq(file, columns)).rows(slice(0, n_modules)) for file in files]
    return [read_calq(file, columns, n_modules).rows(slice(0, n_modules)) for file in files]


def write_modules(folder: Path, scheme: Scheme, calq: npt.NDArray[Any]) -> None:
    """Write rows of a run: input.csv (CALQ), latent.csv (the bits sent), output.csv (decoded CALQ).

    calq: (n, 48) in trigger-cell order, which is also the order of the columns.
    """
    received = scheme.run(calq)
    charge: Any = received.charge
    assert received.latent is not None
    write_calq(folder / "input.csv", calq[:, image_order()])
    write_latents(folder / "latent.csv", received.latent)
    write_calq(folder / "output.csv", charge[:, image_order()])


def show_comparison(console: Console, result: Comparison) -> None:
    """Show a table per link budget, best scheme first, then the verdicts."""
    metrics = [Column(result.metrics[name].short, right=True, optional=True) for name in SHOWN]
    columns = [Column("scheme"), Column(result.metrics["emd"].short, right=True), *metrics,
               *(Column(title, right=True) for title in ("bits", "used", "cut", "empty"))]
    for n_elinks in result.budgets:
        title = (f"{counted(n_elinks, 'link')}, {result.n_selected:,} of {result.n_modules:,} modules of {result.data}")
        show_table(console, title, columns, [
            (one.name, with_error(one.emd), *(shown(one.metrics[name].mean) for name in SHOWN), f"{one.bits:.1f}",
             f"{one.link_occupancy:.0%}", f"{one.cut_rate:.2%}", str(one.n_empty_output))
            for one in result.table(n_elinks)])
        console.print()
    for line in verdict_lines(result):
        console.print(line)
    show_remarks(result.remarks)
