"""The command `convert`: an encoder as a C++ project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hls.commands.options import backend_name
from hls.conversion import convert as write_project
from models.configured import load_configured
from models.errors import InputError
from models.options import Force, WeightsConfig, WeightsFile


def convert(
    weights: WeightsFile,
    output: Annotated[Path, typer.Option(help="Project folder; {backend} in it stands for the name of the backend. An "
                                              "older project there is replaced, but for one with vendor reports.")],
    config: WeightsConfig = None,
    backend: Annotated[list[str] | None, typer.Option(help="vitis or catapult; may be repeated; default: the "
                                                           "configuration's.")] = None,
    force: Force = False,
) -> None:
    """Write a C++ project: hls4ml's network, the chip's data path around it, testbench, scripts for the vendor tool.

    Example: econ-t convert --weights runs/econ_t_5elink/weights.npz --output runs/econ_t_5elink/hls_vitis
    --backend vitis
    """
    chosen, codes = load_configured(weights, config)
    names = list(dict.fromkeys(backend_name(name, chosen.hls.backend) for name in backend or [chosen.hls.backend]))
    folders = [Path(str(output).replace("{backend}", name)) for name in names]
    if len(set(folders)) != len(names):
        raise InputError(f"--output {output}: expected {{backend}} in it, for {' and '.join(names)}")
    for name, folder in zip(names, folders, strict=True):
        write_project(chosen, folder, name, codes, force=force)
        typer.echo(f"{name} project of {chosen.name} in {folder}")
