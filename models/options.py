"""Options that several commands have: name, type and help, stated once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("--config", help="Configuration: a YAML file or a name such as "
                                                           "econ_t_5elink.")]
WeightsFile = Annotated[Path, typer.Option("--weights", help="weights.npz, or a register file of the chip (YAML).")]
CalqFiles = Annotated[list[str], typer.Option("--input", help="CALQ file (CSV, Parquet) or folder; may be repeated.")]
Order = Annotated[str | None, typer.Option("--order", help="tc or image: order of the CALQ columns.")]
JsonFile = Annotated[str | None, typer.Option("--json", help="Also write the result as JSON; - is stdout.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Any other value of the configuration: "
                                                                  "section.key=value; may be repeated.")]
