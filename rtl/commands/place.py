"""The command `place`: a design placed and routed on an FPGA, by open tools."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from models.config import Config
from models.console import say
from models.errors import InputError
from models.files import check_replaced
from models.options import Force
from rtl.commands.console import tell_placement
from rtl.commands.options import Fold, Pipelined, Redundant, chip
from rtl.results import Placement

_SEEDS = 3
_TARGET_MHZ = 82  # the goal is 80, and the router ends up to 2 MHz below what it is asked for


def place(
    json_: Annotated[Path, typer.Option("--json", help="Result to write.")],
    build: Annotated[Path, typer.Option(help="Folder for netlists; what is there is not made again.")],
    config: Annotated[Path | None, typer.Option(help="Configuration (YAML, or the name of one that is shipped): "
                                                     "its encoder block is placed.")] = None,
    project: Annotated[Path | None, typer.Option(help="Folder of `decoder` or `constant`, to place instead.")] = None,
    fold: Fold = None,
    pipelined: Pipelined = True,
    redundant: Redundant = False,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds of the placer: 1, 2, ...")] = _SEEDS,
    target: Annotated[float, typer.Option(min=1, help="Clock to ask for, in MHz: what is routed stays up to 2 MHz "
                                                      "below.")] = _TARGET_MHZ,
    limit: Annotated[float, typer.Option(min=1, help="Time limit for everything, in seconds.")] = 3600,
    force: Force = False,
) -> None:
    """Map a design to Lattice ECP5 with Yosys, and place and route it with nextpnr, once for each seed.

    An interrupted run resumes; at the time limit the result has the seeds that are ready. Example:
    econ-t rtl place --config configs/econ_t_5elink.yaml --fold 16 --build placed --json placed_fold16.json
    """
    from rtl.placing.flow import Clock  # noqa: PLC0415  (Amaranth, which --help does without)
    from rtl.placing.flow import place as run  # noqa: PLC0415
    from rtl.placing.sources import encoder_source, project_source  # noqa: PLC0415

    if (config is None) == (project is None):
        raise InputError("give either --config or --project")
    with tempfile.TemporaryDirectory() as folder:
        if project:
            source = project_source(project, Path(folder))
        else:
            assert config
            chosen = Config.load(config)
            source = encoder_source(chip(chosen, "fpga", redundant, fold, pipelined), Path(folder))
        _check_older(json_, source.digest, force)
        found = run(source, build, range(1, seeds + 1), target, Clock(limit), say)
    found.save(json_)
    tell_placement(found)


def _check_older(path: Path, digest: str, force: bool) -> None:
    """Raise InputError for a file that is not the result of the same spec or decoder."""
    try:
        kept = Placement.find(path)
    except InputError:
        check_replaced(str(path), force)
        return
    if kept and kept.digest != digest:
        check_replaced(str(path), force)
