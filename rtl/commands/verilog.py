"""The command `verilog`: the encoder block as Verilog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.config import Config
from models.files import atomic_path
from models.options import ConfigFile
from rtl.commands.options import Fold, Pipelined, Redundant, TargetName, chip


def verilog(
    config: ConfigFile,
    output: Annotated[Path, typer.Option(help="Verilog file to write.")],
    target: TargetName = "asic",
    redundant: Redundant = False,
    fold: Fold = None,
    pipelined: Pipelined = False,
) -> None:
    """Write the Verilog of a configuration's encoder block.

    Example: econ-t rtl verilog --config configs/econ_t_5elink.yaml --output encoder.v
    """
    from rtl.mapping.yosys import write_verilog  # noqa: PLC0415  (Amaranth, which --help does without)

    with atomic_path(output) as temporary:
        write_verilog(chip(Config.load(config), target, redundant, fold, pipelined), temporary)
