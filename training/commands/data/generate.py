"""Command `data generate`: generate module charges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.calq_io import SUFFIXES, column_order, read_calq, write_calq
from models.config import DataConfig
from models.errors import InputError
from models.files import check_replaced
from models.options import CsvFile, JsonFile
from training.commands.console import log_to_console, show_distributions
from training.commands.data.options import ColumnOrder, Farm, Force, Format, ModuleList, PileUp, Seed, Workers
from training.commands.data.parts import run_parts
from training.data.modules import load_modules
from training.production import CACHE, steps
from training.production.calorimeter import Sample
from training.production.distributions import compare
from training.production.geometry import trigger_layers
from training.production.geometry_file import read_module_list
from training.production.placed import placed
from training.production.pythia_events import check_process


def generate(
    output: Annotated[str, typer.Option(help="File (.csv, .csv.gz, .parquet; - is stdout), or folder with --events.")],
    source: Annotated[Literal["toy", "pythia"], typer.Option(help="Pythia 8 or the simple generator.")] = "pythia",
    n_modules: Annotated[int, typer.Option(min=10, max=10_000_000, help="Number of modules, without --events.")] = (
        20_000),
    seed: Seed = 1,
    order: ColumnOrder = "tc",
    compare_to: Annotated[list[Path] | None, typer.Option(help="CALQ file to compare with; may be repeated.")] = None,
    n_elinks: Annotated[int, typer.Option(min=1, max=13, help="Pythia: layers with this many links.")] = 5,
    events: Annotated[int | None, typer.Option(min=1, help="Pythia: number of events; all their modules.")] = None,
    first_event: Annotated[int, typer.Option(min=0, help="Number of the first event.")] = 0,
    process: Annotated[str, typer.Option(help="Process: minbias, ttbar, jets or electrons.")] = "ttbar",
    pile_up: PileUp = 200.0,
    pool_size: Annotated[int, typer.Option(min=1, help="Number of minimum-bias collisions.")] = 2000,
    layers: Annotated[str | None, typer.Option(help="Comma-separated layers to keep: 9 or 7,9,11.")] = None,
    modules: ModuleList = None,
    erx: Annotated[Path | None, typer.Option(help="Also write the input link words, as the chip reads them.")] = None,
    events_per_part: Annotated[int, typer.Option(min=1, help="Number of events per file of the output folder.")] = 25,
    format: Format = "parquet",
    cache: Annotated[Path, typer.Option(help="Folder for cached collisions.")] = CACHE,
    json_: JsonFile = None,
    csv: CsvFile = None,
    workers: Workers = 1,
    farm: Farm = None,
    force: Force = False,
) -> None:
    """Make module charges and show their distributions.

    Examples: econ-t data generate --n-modules 20000 --seed 1 --output calq.csv

    econ-t data generate --source toy --modules geometry_hgcal.txt --output calq.parquet

    econ-t data generate --process ttbar --events 1000 --output ttbar --workers 2
    """
    log_to_console()
    columns = column_order(order, "tc")
    _check_tables(output, events is not None, json_, csv)
    others = {str(path): read_calq(path).calq for path in compare_to or []}
    if events is None:
        if erx is not None:
            raise InputError("--erx needs --events")
        check_replaced(output, force)
        table = load_modules(DataConfig(source=source, n_modules=n_modules, seed=seed), n_elinks, cache)
        if modules:
            table = placed(table, read_module_list(modules), seed)
        calq = table.calq
        write_calq(output, calq, columns, table.extra)
    elif source == "toy":
        raise InputError("--events needs --source pythia")
    else:
        check_process(process)
        sample = Sample(process, pile_up, pool_size, seed, _layers(layers))
        if output == "-":
            raise InputError("--events writes files; --output must be a file or a folder, not -")
        if output.endswith(SUFFIXES):
            for path in (output, *([erx] if erx else ())):
                check_replaced(path, force)
            steps.generate(sample, first_event, first_event + events, Path(output), order=columns, cache=cache,
                           erx_output=erx, modules=modules)
        elif erx is not None:
            raise InputError(f"--erx needs a file as --output, {', '.join(SUFFIXES)}")
        else:
            parts = steps.generate_parts(sample, first_event, events, Path(output), events_per_part=events_per_part,
                                         suffix=f".{format}", order=columns, cache=cache, modules=modules)
            run_parts(parts, Path(output), workers, farm, force)
            return
        calq = read_calq(output, columns).calq
    show_distributions(compare({"generated": calq, **others}), json_, csv, output)


def _check_tables(output: str, events: bool, json: str | None, csv: str | None) -> None:
    """Raise InputError if the distributions have no place on stdout, or are not shown: those of a folder."""
    for option, path in (("--json", json), ("--csv", csv)):
        if path == output == "-":
            raise InputError(f"--output - and {option} -: both on stdout, expected a file for one of them")
        if path and events and not output.endswith(SUFFIXES):
            raise InputError(f"{option} needs a file as --output, {', '.join(SUFFIXES)}")


def _layers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    known = {str(layer) for layer in trigger_layers()}
    for item in text.split(","):
        if item.strip() not in known:
            raise InputError(f"--layers {text}: '{item}', expected trigger layers: 1, 3, .. 27, 29, 30, .. 50")
    return tuple(sorted({int(item) for item in text.split(",")}))
