"""Command `data validate`: draw samples side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.errors import InputError
from models.files import atomic_path
from models.options import CsvFile, JsonFile
from training.commands.console import show_distributions
from training.commands.data.options import ColumnOrder
from training.production.distributions import compare


def validate(
    samples: Annotated[list[str], typer.Argument(help="NAME=FILE (.csv, .parquet) or FILE, one per sample.")],
    output: Annotated[Path, typer.Option(help="Figure to write (.svg, .png, .pdf).")],
    order: ColumnOrder = "tc",
    json_: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Draw samples side by side: occupancy, sums, largest cell, lateral and longitudinal profiles.

    Example: econ-t data validate simulated=calq.parquet real=CALQ_output.csv --output validation.svg
    """
    import matplotlib as mpl  # noqa: PLC0415  (Matplotlib, which --help does without)

    from training.production.validation import figure  # noqa: PLC0415

    if output.suffix not in (".svg", ".png", ".pdf"):
        raise InputError(f"{output}: expected a name that ends in .svg, .png or .pdf")
    columns = column_order(order, "tc")
    named = {name or path: path for name, _, path in (("=" + item if "=" not in item else item).rpartition("=")
                                                      for item in samples)}
    tables = {name: read_calq(path, columns) for name, path in named.items()}
    with atomic_path(output) as temporary, mpl.rc_context({"svg.hashsalt": "validation"}):
        figure(tables).savefig(temporary, dpi=120, metadata={"Date": None} if output.suffix == ".svg" else None)
    show_distributions(compare({name: table.calq for name, table in tables.items()}), json_, csv)
