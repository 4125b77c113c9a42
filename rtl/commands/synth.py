"""The command `synth` of the RTL: gates and look-up tables of every block."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from models.command_line import with_old_names
from models.config import Config
from models.console import result_console
from models.errors import InputError
from models.files import check_replaced
from models.options import ConfigFile, Force
from rtl.commands.console import blocks_progress
from rtl.commands.options import Fold, Pipelined, Redundant, chip
from rtl.results import ChipSynthesis, Design

app = typer.Typer(add_completion=False)


@app.command(cls=with_old_names({"--output": "--json"}))
def synth(
    config: ConfigFile,
    json_: Annotated[str, typer.Option("--json", help="Summary to write; - is stdout.")],
    technology: Annotated[Literal["xc7", "xcup", "ecp5", "gates", "osu018"],
                          typer.Option(help="Target technology.")] = "xc7",
    redundant: Redundant = False,
    fold: Fold = None,
    pipelined: Pipelined = False,
    netlists: Annotated[Path | None, typer.Option(help="Folder for the mapped blocks, for `activity`.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Time limit for each block, in seconds.")] = 600,
    force: Force = False,
) -> None:
    """Synthesise every block once and count its cells once for each place where it is used.

    Example: econ-t rtl synth --config configs/econ_t_5elink.yaml --technology xc7 --json rtl_xc7.json
    """
    from rtl.mapping.synthesis import SILICON, design_digest, synthesise_chip  # noqa: PLC0415  (Amaranth, which --help does without)

    target: Literal["asic", "fpga"] = "asic" if technology in SILICON else "fpga"
    top = chip(Config.load(config), target, redundant, fold, pipelined)
    kept = _older(Path(json_), technology, top.describe())
    if kept is None:
        check_replaced(json_, force)
    found = synthesise_chip(top, technology, timeout, netlists, blocks_progress)
    found = found.model_copy(update={"made_from": design_digest(top, technology)})
    others = {"activity": None, "static_timing": None, "made_from": found.made_from, "seconds": found.seconds}
    if kept and kept.model_copy(update=others) == found:
        found = kept  # with the activity that was measured on it
    found.save(json_)
    total = ", ".join(f"{number:,} {'um2' if name == 'area_um2' else name.upper()}"
                      for name, number in found.total.counts.items())
    result_console(json_).print(f"{technology}: {total}; {found.levels} levels on the longest path; {found.tool}")


def _older(path: Path, technology: str, design: Design) -> ChipSynthesis | None:
    """The summary of an older synthesis of this design; None if there is none or it is of another one."""
    with suppress(InputError):  # what is not a summary is for the user to delete
        kept = ChipSynthesis.find(path)
        if kept and kept.technology == technology and all(getattr(kept, name) == value for name, value in design):
            return kept
    return None
