"""Options that several commands have: name, type and help, stated once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.chip import Revision

ConfigFile = Annotated[Path, typer.Option("--config", help="Configuration: a YAML file or a name such as "
                                                           "econ_t_5elink.")]
WeightsConfig = Annotated[Path | None, typer.Option("--config", help="Configuration; default: config.yaml beside the "
                                                                     "weights, else the one that they are for.")]
WeightsFile = Annotated[Path, typer.Option("--weights", help="weights.npz, a register file of the chip (YAML), or "
                                                           "the name of a shipped set.")]
DecoderFile = Annotated[Path, typer.Option("--decoder", help="Compact decoder, as compact_3k.npz of `distill`.")]
RegisterFile = Annotated[Path, typer.Option("--registers", help="Register file of the chip (YAML).")]
ChipRevision = Annotated[Revision | None, typer.Option("--revision", help="Revision of the chip; default: that of "
                                                                          "the register file.")]

CalqFile = Annotated[str, typer.Option("--input", help="CALQ file (CSV, Parquet) or folder; - is stdin.")]
CalqFiles = Annotated[list[str], typer.Option("--input", help="CALQ file (CSV, Parquet) or folder; may be repeated.")]
Order = Annotated[str | None, typer.Option("--order", help="Order of the CALQ columns, tc or image; default: the "
                                                               "configured one.")]

LatentFile = Annotated[str, typer.Option("--output", help="Latents (CSV, Parquet); - is stdout.")]
TraceFile = Annotated[Path | None, typer.Option("--trace", help="Also write every stage to this .npz file.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an older result.")]
JsonFile = Annotated[str | None, typer.Option("--json", help="Also write the result as JSON; - is stdout.")]
CsvFile = Annotated[str | None, typer.Option("--csv", help="Also write the table as CSV, every column and digit of it; "
                                                           "- is stdout.")]

Settings = Annotated[list[str] | None, typer.Option("--set", help="Set any value of the configuration: "
                                                                  "section.key=value; may be repeated.")]
