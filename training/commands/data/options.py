"""Options shared by several of the commands `data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Inputs = Annotated[list[Path], typer.Argument(help="Files (.csv, .csv.gz, .parquet) or folders of them.")]
Folder = Annotated[Path, typer.Option("--output", help="Folder of the results; keeps finished parts.")]
Format = Annotated[Literal["parquet", "csv"], typer.Option("--format", help="Format of the files in --output.")]
Force = Annotated[bool, typer.Option("--force", help="Replace results that were made before with other options.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed; equal seeds give equal files.")]
ColumnOrder = Annotated[str, typer.Option("--order", help="Order of the CALQ columns, tc or image.")]
PileUp = Annotated[
    float, typer.Option("--pile-up", min=0, max=1000, help="Mean number of pile-up collisions per event.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Number of processes on this machine.")]
Farm = Annotated[Path | None, typer.Option("--farm", help="Where to run (YAML), see docs/data.md.")]
ModuleList = Annotated[
    Path | None, typer.Option("--modules", help="List of modules (CSV: Layer, ModU, ModV, ECONT_eTX) or "
                                                "geometry_hgcal.txt.")
]
