"""The command `synth` of the RTL: gates and look-up tables of every block."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.command_line import with_old_names
from models.config import Config
from models.options import ConfigFile
from rtl.commands.options import Fold, Redundant, chip
from rtl.mapping.synthesis import SILICON, synthesise_chip

app = typer.Typer(add_completion=False)


@app.command(cls=with_old_names({"--output": "--json"}))
def synth(
    config: ConfigFile,
    json_: Annotated[str, typer.Option("--json", help="Summary to write; - is stdout.")],
    technology: Annotated[Literal["xc7", "xcup", "ecp5", "gates", "osu018"],
                          typer.Option(help="Target technology.")] = "xc7",
    redundant: Redundant = False,
    fold: Fold = None,
    netlists: Annotated[Path | None, typer.Option(help="Folder for the mapped blocks, for `activity`.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Time limit for each block, in seconds.")] = 600,
) -> None:
    """Synthesise every block once and count its cells once for each place where it is used.

    Example: econ-t rtl synth --config configs/econ_t_5elink.yaml --technology xc7 --json rtl_xc7.json
    """
    target: Literal["asic", "fpga"] = "asic" if technology in SILICON else "fpga"
    top = chip(Config.load(config), target, redundant, fold)
    synthesise_chip(top, technology, timeout, netlists).save(json_)
