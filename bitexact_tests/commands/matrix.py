"""The command `matrix`: every configuration with every family of weights, in one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bitexact_tests.matrix import COLUMNS, FAMILIES, NOT_REACHED, Table, charges, run_matrix
from models.command_line import with_old_names
from models.config import Config
from models.console import Column, console_for, result_console, show_table, write_csv
from models.errors import InputError, nearest
from models.files import check_replaced, write_text
from models.options import CsvFile, Force, JsonFile

CONFIGS = Path(__file__).parents[2] / "configs"

app = typer.Typer(add_completion=False)


@app.command(cls=with_old_names({"--output": "--json"}))
def matrix(
    config: Annotated[list[Path] | None, typer.Option(help="Configuration (YAML), or its name; default: all.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Family of weights; may be repeated; default: all.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="vitis, catapult, rtl, rtl folded, production; "
                                                                "default: all.")] = None,
    events: Annotated[int, typer.Option(min=1, help="Number of random events; extreme ones are added.")] = 3000,
    seconds: Annotated[float, typer.Option(min=0, help="Start no cell after this many seconds.")] = float("inf"),
    json_: JsonFile = None,
    csv: CsvFile = None,
    force: Force = False,
) -> None:
    """Every configuration with every family of weights through emulator, HLS and RTL: one table.

    A cell is the number of events with all bits equal, or the first mismatch. Exits with 1 if a bit differs, a tool is
    missing or nothing was reached. The column production is the emulator as the production chip, of its register file.
    Example: econ-t matrix --config econ_t_5elink --column vitis
    """
    if json_:
        check_replaced(json_, force)
    paths = config or sorted(CONFIGS.glob("*.yaml"))
    families, columns = _chosen("family", family, FAMILIES), _chosen("column", column, COLUMNS)
    table = run_matrix([Config.load(path) for path in paths], families, columns, events, seconds, _progress())
    _show(result_console(json_, csv), table, columns, len(charges(events)))
    if json_:
        rows = [{"config": name, "weights": family} | {column: asdict(cell) for column, cell in row.items()}
                for (name, family), row in table.items()]
        write_text(json_, json.dumps(rows, indent=1) + "\n")
    if csv:
        write_csv(csv, [{"config": name, "weights": family, "column": column} | asdict(cell)
                        for (name, family), row in table.items() for column, cell in row.items()])
    reached = [cell for row in table.values() for cell in row.values() if cell.not_run != NOT_REACHED]
    if not reached or not all(cell.equal for cell in reached):
        raise SystemExit(1)


def _chosen(option: str, given: list[str] | None, known: Iterable[str]) -> list[str]:
    if odd := [name for name in given or [] if name not in known]:
        raise InputError(f"--{option} {odd[0]}, expected {', '.join(known)}{nearest(odd[0], known)}")
    return given or list(known)


def _progress() -> Callable[[str], None]:
    """Each finished cell on stderr if someone watches: the whole takes long."""
    console = console_for(stderr=True)
    return console.print if console.is_terminal else lambda text: None


def _show(console: Console, table: Table, columns: Sequence[str], n_events: int) -> None:
    rows = [(name, family, str(n_events), *(str(row.get(column, "-")) for column in columns))
            for (name, family), row in table.items()]
    show_table(console, f"emulator = HLS = RTL? {n_events} events",
               ["config", "weights", Column("emulator", right=True),
                *(Column(column, wraps=True) for column in columns)], rows,
               [k for k, row in enumerate(table.values())
                if not all(cell.equal or cell.not_run == NOT_REACHED for cell in row.values())])
    cells = {(*key, column): cell for key, row in table.items() for column, cell in row.items()}
    for (name, family, column), cell in cells.items():
        if cell.first:
            console.print(f"{name}, {family}, {column}: first mismatch: {cell.first}")
    n_equal, n_late = (sum(found) for found in zip(*((c.equal, c.not_run == NOT_REACHED) for c in cells.values()),
                                                   strict=True))
    console.print(f"{n_equal} of {len(cells)} cells equal in all bits"
                  + (f", {n_late} not reached in the time given" if n_late else ""))
