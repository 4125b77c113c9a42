"""`python -m training data ...`: module charges from collisions or ntuples, and their way to the training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from models.errors import InputError, one_line_errors
from training.production import CACHE

if TYPE_CHECKING:
    from training.production.farm import Part

app = typer.Typer(no_args_is_help=True, help="Module charges: make, convert, split, skim, shuffle and double them.")

Inputs = Annotated[list[Path], typer.Argument(help="Files (.csv, .csv.gz, .parquet) or folders of them.")]
Folder = Annotated[Path, typer.Option("--output", help="Folder of the results; what is finished there is kept.")]
Format = Annotated[Literal["parquet", "csv"], typer.Option("--format", help="Of the files in the output folder.")]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")]
OrderOption = Annotated[str, typer.Option("--order", help="tc or image: order of the CALQ columns.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes on this machine.")]
Farm = Annotated[Path | None, typer.Option("--farm", help="YAML: local, htcondor or slurm; see docs/data.md.")]
ModuleList = Annotated[
    Path | None, typer.Option("--modules", help="List of modules (CSV: Layer, ModU, ModV, ECONT_eTX).")
]


@app.command()
def generate(
    output: Annotated[str, typer.Option(help="File (.csv, .csv.gz, .parquet; - is stdout), or folder with --events.")],
    source: Annotated[Literal["toy", "pythia"], typer.Option(help="Pythia 8, or the simple generator.")] = "pythia",
    n_modules: Annotated[int, typer.Option(min=10, max=10_000_000, help="Modules, unless --events is given.")] = 20_000,
    seed: Seed = 1,
    order: OrderOption = "tc",
    compare_to: Annotated[list[Path] | None, typer.Option(help="CALQ file to show beside; may be repeated.")] = None,
    n_elinks: Annotated[int, typer.Option(min=2, max=13, help="Pythia: layers with so many links.")] = 5,
    events: Annotated[int | None, typer.Option(min=1, help="Pythia: this many events, all their modules.")] = None,
    first_event: Annotated[int, typer.Option(min=0, help="Number of the first event.")] = 0,
    process: Annotated[str, typer.Option(help="minbias, ttbar, jets or electrons.")] = "ttbar",
    pile_up: Annotated[float, typer.Option(min=0, help="Mean number of other collisions per event.")] = 200.0,
    pool_size: Annotated[int, typer.Option(min=1, help="Different minimum-bias collisions.")] = 2000,
    layers: Annotated[str | None, typer.Option(help="Only these layers: 9 or 7,9,11.")] = None,
    erx: Annotated[Path | None, typer.Option(help="Also write the input link words, as the chip reads them.")] = None,
    events_per_part: Annotated[int, typer.Option(min=1, help="Events in a file of the output folder.")] = 25,
    format: Format = "parquet",
    cache: Annotated[Path, typer.Option(help="Folder that keeps collisions.")] = CACHE,
    workers: Workers = 1,
    farm: Farm = None,
) -> None:
    """Make module charges, and show their distributions.

    Examples: python -m training data generate --n-modules 20000 --seed 1 --output calq.csv

    python -m training data generate --process ttbar --events 1000 --output ttbar --workers 2
    """
    with one_line_errors():
        from models.calq_io import SUFFIXES, column_order, read_calq, write_calq
        from training.commands.console import log_to_console, show_distributions
        from training.production.distributions import compare

        log_to_console()
        columns = column_order(order, "tc")
        others = {str(path): read_calq(path).calq for path in compare_to or []}
        if events is None:
            from models.config import DataConfig
            from training.data.modules import load_modules

            if erx is not None:
                raise InputError("--erx needs --events")
            table = load_modules(DataConfig(source=source, n_modules=n_modules, seed=seed), n_elinks, cache)
            calq = table.calq
            write_calq(output, calq, columns, table.extra)
        elif source == "toy":
            raise InputError("--events needs --source pythia")
        else:
            from training.production import steps
            from training.production.calorimeter import Sample
            from training.production.pythia_events import check_process

            check_process(process)
            sample = Sample(process, pile_up, pool_size, seed, _layers(layers))
            if output == "-":
                raise InputError("--events writes files, expected an --output that is a file or a folder")
            if output.endswith(SUFFIXES):
                steps.generate(sample, first_event, first_event + events, Path(output), columns, cache, erx)
            elif erx is not None:
                raise InputError(f"--erx needs an --output that is one file, {', '.join(SUFFIXES)}")
            else:
                parts = steps.generate_parts(sample, first_event, events, events_per_part, Path(output), f".{format}",
                                             columns, cache)
                _run(parts, Path(output), workers, farm)
                return
            calq = read_calq(output, columns).calq
        show_distributions(compare({"generated": calq, **others}))


@app.command("from-ntuple")
def from_ntuple(
    inputs: Annotated[list[Path], typer.Argument(help="ROOT files.")],
    output: Folder,
    tree: Annotated[str, typer.Option(help="Name of the tree.")] = "hgcalTriggerNtuplizer/HGCalTriggerNtuple",
    charge: Annotated[str | None, typer.Option(help="Branch of the charge; default: the first of those known.")] = None,
    order: OrderOption = "tc",
    erx: Annotated[bool, typer.Option("--erx", help="Also write link words and registers of every module.")] = False,
    events_per_part: Annotated[int, typer.Option(min=1, help="Events of an input file in one output file.")] = 200,
    format: Format = "parquet",
    workers: Workers = 1,
    farm: Farm = None,
) -> None:
    """Trigger-primitive ntuples to charges, through link words and the front end of the chip.

    Example: python -m training data from-ntuple ntuple_1.root ntuple_2.root --output calq --workers 2
    """
    with one_line_errors():
        from models.calq_io import column_order
        from training.production import steps

        columns = column_order(order, "tc")
        parts = steps.ntuple_parts(inputs, events_per_part, output, f".{format}", columns, tree, charge, erx)
        _run(parts, output, workers, farm)


@app.command()
def split(
    inputs: Inputs,
    output: Folder,
    allocation: Annotated[Literal["signal", "pile-up"], typer.Option(help="Links by layer, or by module.")] = "signal",
    modules: ModuleList = None,
    format: Format = "csv",
    workers: Workers = 1,
    farm: Farm = None,
) -> None:
    """Rows into the folders nElinks_2 .. nElinks_13 by the output links of their module.

    Examples: python -m training data split calq --output split

    python -m training data split calq --allocation pile-up --modules ModuleLinkSummary.csv --output split
    """
    with one_line_errors():
        from training.production import steps

        if (allocation == "pile-up") != (modules is not None):
            raise InputError("--allocation pile-up and --modules FILE go together, expected both or none")
        _run(steps.split_parts(inputs, output, f".{format}", modules), output, workers, farm)


@app.command()
def skim(
    inputs: Inputs,
    output: Folder,
    partial: Annotated[bool, typer.Option("--partial/--no-partial", help="Keep modules that are cut.")] = False,
    min_sim_energy: Annotated[float, typer.Option(min=-1, help="SimEnergyFraction above this; -1: any.")] = 0.0,
    min_charge: Annotated[int, typer.Option(min=0, help="Smallest module sum in CALQ.")] = 1,
    modules: ModuleList = None,
    format: Format = "csv",
    workers: Workers = 1,
    farm: Farm = None,
) -> None:
    """Leave out partial modules, those without energy of the process, and those with little charge.

    Example: python -m training data skim split/nElinks_5 --output skimmed
    """
    with one_line_errors():
        from training.production import steps

        least = None if min_sim_energy < 0 else min_sim_energy
        parts = steps.skim_parts(inputs, output, f".{format}", not partial, least, min_charge, modules)
        _run(parts, output, workers, farm)


@app.command()
def shuffle(
    inputs: Inputs,
    output: Annotated[Path, typer.Option(help="File to write (.csv, .csv.gz, .parquet).")],
    seed: Seed = 1,
    rows_in_memory: Annotated[int, typer.Option(min=1000, help="Largest number of rows held at a time.")] = 200_000,
) -> None:
    """All rows of all files in random order, in bounded memory.

    Example: python -m training data shuffle skimmed --output shuffled.csv
    """
    with one_line_errors():
        from training.production import transform
        from training.production.stream import data_files

        _show("rows", transform.shuffle(data_files(inputs), output, seed, rows_in_memory))


@app.command()
def double(
    inputs: Inputs,
    output: Folder,
    seed: Seed = 1,
    format: Format = "csv",
    workers: Workers = 1,
    farm: Farm = None,
) -> None:
    """Every row, and as many overlays of two rows: busier modules.

    Example: python -m training data double skimmed --output doubled
    """
    with one_line_errors():
        from training.production import steps

        _run(steps.double_parts(inputs, output, f".{format}", seed), output, workers, farm)


@app.command()
def validate(
    samples: Annotated[list[str], typer.Argument(help="NAME=FILE (.csv, .parquet) or FILE, one per sample.")],
    output: Annotated[Path, typer.Option(help="Figure to write (.svg, .png, .pdf).")],
    order: OrderOption = "tc",
) -> None:
    """Draw samples beside one another: occupancy, sums, largest cell, lateral and longitudinal profiles.

    Example: python -m training data validate simulated=calq.parquet real=CALQ_output.csv --output validation.svg
    """
    with one_line_errors():
        import matplotlib as mpl

        from models.calq_io import column_order, read_calq
        from models.files import atomic_path
        from training.commands.console import show_distributions
        from training.production.distributions import compare
        from training.production.validation import figure

        if output.suffix not in (".svg", ".png", ".pdf"):
            raise InputError(f"{output}: expected a name that ends in .svg, .png or .pdf")
        columns = column_order(order, "tc")
        named = {name or path: path for name, _, path in (("=" + item if "=" not in item else item).rpartition("=")
                                                          for item in samples)}
        tables = {name: read_calq(path, columns) for name, path in named.items()}
        with atomic_path(output) as temporary, mpl.rc_context({"svg.hashsalt": "validation"}):
            figure(tables).savefig(temporary, dpi=120, metadata={"Date": None} if output.suffix == ".svg" else None)
        show_distributions(compare({name: table.calq for name, table in tables.items()}))


def _layers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    from training.production.geometry import trigger_layers

    known = {str(layer) for layer in trigger_layers()}
    for item in text.split(","):
        if item.strip() not in known:
            raise InputError(f"--layers {text}: '{item}', expected layers that are read for the trigger: "
                             "1, 3, .. 27, 29, 30, .. 50")
    return tuple(sorted({int(item) for item in text.split(",")}))


def _run(parts: list[Part], output: Path, workers: int, farm: Path | None) -> None:
    from training.commands.console import log_to_console, part_progress
    from training.production.farm import FarmConfig, run
    from training.production.steps import rows_written

    log_to_console()
    config = FarmConfig.load(farm) if farm is not None else FarmConfig(n_workers=workers)
    with part_progress(len(parts)) as done:
        results = run(parts, output, config, done)
    total: dict[str, int] = {}
    for counts in results.values():
        for name, number in counts.items():
            total[name] = total.get(name, 0) + number
    if not rows_written(total):
        shown = ", ".join(f"{name} {number}" for name, number in total.items())
        raise InputError(f"{output}: no rows are left to write ({shown})")
    _show(f"{len(parts)} parts in {output}", total)


def _show(what: str, counts: dict[str, Any]) -> None:
    typer.echo(f"{what}: " + ", ".join(f"{name} {number}" for name, number in counts.items()), err=True)


