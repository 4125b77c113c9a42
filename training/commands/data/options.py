"""Options that several of the commands `data` have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Inputs = Annotated[list[Path], typer.Argument(help="Files (.csv, .csv.gz, .parquet) or folders of them.")]
Folder = Annotated[Path, typer.Option("--output", help="Folder of the results; what is finished there is kept.")]
Format = Annotated[Literal["parquet", "csv"], typer.Option("--format", help="Of the files in the output folder.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Equal seeds give equal files.")]
ColumnOrder = Annotated[str, typer.Option("--order", help="tc or image: order of the CALQ columns.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes on this machine.")]
Farm = Annotated[Path | None, typer.Option("--farm", help="YAML: local, htcondor or slurm; see docs/data.md.")]
ModuleList = Annotated[
    Path | None, typer.Option("--modules", help="List of modules (CSV: Layer, ModU, ModV, ECONT_eTX).")
]
