"""Options shared by the RTL commands, and the block that they choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from models.config import Config

if TYPE_CHECKING:
    from rtl.design.arithmetic import Target
    from rtl.design.chip import AutoencoderChip

Redundant = Annotated[bool, typer.Option("--redundant", help="Triplicate every register, with a vote.")]
TargetName = Annotated[Literal["asic", "fpga"],
                       typer.Option("--target", help="How sums are written: open (asic) or for carry chains (fpga).")]
Fold = Annotated[int | None, typer.Option("--fold", min=1,
                                          help="Clocks per event; default: rtl.fold of the configuration.")]

Pipelined = Annotated[bool, typer.Option("--pipelined/--no-pipelined",
                                         help="The folded encoder with more registers, for a faster clock.")]


def chip(
    config: Config, target: Target, redundant: bool, fold: int | None, pipelined: bool = False
) -> AutoencoderChip:
    """The encoder block that these options choose."""
    from rtl.design.chip import AutoencoderChip  # noqa: PLC0415  (Amaranth, which --help does without)

    return AutoencoderChip(config.encoder, target, redundant, fold or config.rtl.fold, pipelined)
