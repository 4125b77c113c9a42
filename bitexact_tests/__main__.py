"""Command line of the proof: `python -m bitexact_tests compare ...`, `matrix`, `faults`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitexact_tests.comparison import Comparison, bit_comparison
from models.config import Config
from models.errors import InputError, nearest, one_line_errors
from models.files import write_text

if TYPE_CHECKING:
    from bitexact_tests.matrix import Table

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _commands() -> None:
    """Bits are equal or the build is red."""


@app.command()
def compare(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    input: Annotated[list[str], typer.Option(help="CALQ file (CSV, Parquet) or folder; may be repeated.")],
    backend: Annotated[list[str] | None, typer.Option(help="vitis or catapult; may be repeated.")] = None,
    output: Annotated[Path | None, typer.Option(help="Also write the table as JSON.")] = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
) -> None:
    """Run every event through the emulator and the HLS C++ and compare each stage bit by bit.

    Exits with 1 if a bit differs. Example: python -m bitexact_tests compare --config configs/econ_t_5elink.yaml
    --weights runs/econ_t_5elink/weights.npz --input runs/econ_t_5elink/test.csv --backend vitis --backend catapult
    """
    with one_line_errors():
        from emulator import encode
        from hls.csim import run_csim
        from models.calq_io import column_order, read_calq
        from models.register_weights import load_weights

        chosen = Config.load(config)
        codes = load_weights(weights, chosen.encoder)
        calq = read_calq(input, column_order(order, chosen.data.order)).calq
        reference = encode(codes, calq)
        results = {}
        for name in backend or [chosen.hls.backend]:
            results[name] = compare_with(chosen, calq, reference, run_csim(chosen, codes, calq, backend=name), name)
        if output:
            bit_comparison(chosen, codes, len(calq), results).save(output)
    if not all(result.equal for result in results.values()):
        raise SystemExit(1)


@app.command()
def matrix(
    config: Annotated[list[Path] | None, typer.Option(help="Configuration (YAML), or its name; default: all.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Weights; may be repeated; default: all.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="vitis, catapult, rtl, rtl folded; default: all.")] = None,
    events: Annotated[int, typer.Option(min=1, help="Random events; extreme ones are added.")] = 3000,
    seconds: Annotated[float, typer.Option(min=0, help="Begin nothing after this time.")] = float("inf"),
    output: Annotated[Path | None, typer.Option(help="Also write the cells as JSON.")] = None,
) -> None:
    """Every configuration with every family of weights through emulator, HLS and RTL: one table.

    A cell is the number of events with all bits equal, or the first mismatch. Exits with 1 if a bit differs, a tool is
    missing or nothing was reached. Example: python -m bitexact_tests matrix --config econ_t_5elink --column vitis
    """
    with one_line_errors():
        from bitexact_tests.matrix import COLUMNS, FAMILIES, NOT_REACHED, charges, run_matrix

        paths = config or sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
        families, columns = _chosen("family", family, FAMILIES), _chosen("column", column, COLUMNS)
        table = run_matrix([Config.load(path) for path in paths], families, columns, events, seconds, _progress())
        _show_matrix(table, columns, len(charges(events)))
        if output:
            rows = [{"config": name, "weights": family} | {column: asdict(cell) for column, cell in row.items()}
                    for (name, family), row in table.items()]
            write_text(output, json.dumps(rows, indent=1) + "\n")
    reached = [cell for row in table.values() for cell in row.values() if cell.not_run != NOT_REACHED]
    if not reached or not all(cell.equal for cell in reached):
        raise SystemExit(1)


def _chosen(option: str, given: list[str] | None, known: Iterable[str]) -> list[str]:
    if odd := [name for name in given or [] if name not in known]:
        raise InputError(f"--{option} {odd[0]}, expected {', '.join(known)}{nearest(odd[0], known)}")
    return given or list(known)


def _progress() -> Callable[[str], None]:
    """Each finished cell on stderr if someone watches: the whole takes long."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    return console.print if console.is_terminal else lambda text: None


def _show_matrix(table: Table, columns: Sequence[str], n_events: int) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    from bitexact_tests.matrix import NOT_REACHED

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    grid = Grid("config", "weights", "emulator", *columns, title=f"emulator = HLS = RTL? {n_events} events")
    for (name, family), row in table.items():
        style = None if all(cell.equal or cell.not_run == NOT_REACHED for cell in row.values()) else "red"
        grid.add_row(name, family, str(n_events), *(str(row[column]) for column in columns), style=style)
    console.print(grid)
    cells = {(*key, column): cell for key, row in table.items() for column, cell in row.items()}
    for (name, family, column), cell in cells.items():
        if cell.first:
            console.print(f"{name}, {family}, {column}: first mismatch: {cell.first}")
    n_equal, n_late = (sum(found) for found in zip(*((c.equal, c.not_run == NOT_REACHED) for c in cells.values()),
                                                   strict=True))
    console.print(f"{n_equal} of {len(cells)} cells equal in all bits"
                  + (f", {n_late} not reached in the time given" if n_late else ""))


@app.command()
def faults(
    only: Annotated[list[int] | None, typer.Option(help="Number of a fault, from 1; may be repeated.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the table as a page (Markdown).")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for the tests of one fault.")] = 600,
    workers: Annotated[int, typer.Option(min=1, help="Copies of the project that work side by side.")] = 2,
) -> None:
    """Put each fault of faults.yaml into a copy of the project: a test must find it.

    Exits with 1 if one is not found, with 2 if one no longer applies. Example: python -m bitexact_tests faults
    --output docs/faults.md
    """
    with one_line_errors():
        import time

        from rich.console import Console

        from bitexact_tests.faults import Outcome, check, load_faults, page

        console = Console(highlight=False, markup=False, soft_wrap=True)

        def report(title: str, outcome: Outcome) -> None:
            found = outcome.caught_by or outcome.problem or "passed"
            console.print(f"{outcome.seconds:6.1f} s  {title}: {found}")

        listed = load_faults()
        if wrong := [n for n in only or [] if not 1 <= n <= len(listed)]:
            raise InputError(f"--only {wrong[0]}, expected 1..{len(listed)}")
        chosen = [listed[n - 1] for n in only] if only else listed
        start = time.monotonic()
        outcomes = check(chosen, timeout, workers, report)
        seconds = time.monotonic() - start
        if output:
            write_text(output, page(chosen, outcomes, seconds))
        for fault, outcome in zip(chosen, outcomes, strict=True):
            if outcome.caught_by is None:
                console.print(f"not found: {fault.file}: {fault.what} {outcome.problem}", style="red")
        caught = sum(outcome.caught_by is not None for outcome in outcomes)
        console.print(f"{caught} of {len(chosen)} faults found in {seconds:.0f} s")
    if caught < len(chosen):
        raise SystemExit(1)


def compare_with(config: Config, calq: Any, reference: Any, found: Any, backend: str) -> Comparison:
    """Compare one backend with the emulator and show the table and the first mismatch."""
    from rich.console import Console
    from rich.table import Table

    from bitexact_tests.comparison import compare_stages

    result = compare_stages(config.encoder, calq, reference, found)
    console = Console()
    table = Table("stage", "values", "mismatches", "events with mismatch",
                  title=f"{config.name}: emulator = HLS csim ({backend})? {len(calq)} events")
    for row in result.stages:
        style = "red" if row.n_mismatches else None
        table.add_row(row.stage, str(row.n_values), str(row.n_mismatches), str(row.n_events), style=style)
    console.print(table)
    console.print("all bits equal" if result.equal else f"first mismatch: {result.first}", highlight=False)
    return result


if __name__ == "__main__":
    app()
