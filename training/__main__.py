"""Command line of the training: `python -m training train ...`, `evaluate`, `report`, `data generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.errors import one_line_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
data_app = typer.Typer(no_args_is_help=True, help="Module charges: make them, look at them.")
app.add_typer(data_app, name="data")


@data_app.callback()
def _data_commands() -> None:
    """Module charges: make them, look at them."""


@data_app.command("generate")
def data_generate(
    output: Annotated[str, typer.Option(help="CALQ file to write (.csv or .parquet); - is stdout.")],
    n_modules: Annotated[int, typer.Option(min=1, max=10_000_000, help="Number of modules.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")] = 1,
    order: Annotated[str, typer.Option(help="tc or image: order of the CALQ columns.")] = "tc",
    compare_to: Annotated[list[Path] | None, typer.Option(help="CALQ file to show beside; may be repeated.")] = None,
) -> None:
    """Generate module charges with showers and pile-up, and show their distributions.

    Example: python -m training data generate --n-modules 20000 --seed 1 --output calq.csv
    """
    with one_line_errors():
        from models.calq_io import column_order, read_calq, write_calq
        from training.generator import compare, generate

        columns = column_order(order, "tc")
        others = {str(path): read_calq(path).calq for path in compare_to or []}
        calq = generate(n_modules, seed)
        write_calq(output, calq, columns)
        _show_distributions(compare({"generated": calq, **others}))


def _show_distributions(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("per module", title="mean and percentiles")
    table.add_column("sample", overflow="fold")
    for column in ("mean", "5%", "25%", "50%", "75%", "95%"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(stderr=True).print(table)


if __name__ == "__main__":
    app()
