"""The command `convert`: an encoder as a C++ project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hls.commands.options import BackendName, backend_name
from hls.conversion import convert as write_project
from models.configured import load_configured
from models.options import Force, WeightsConfig, WeightsFile


def convert(
    weights: WeightsFile,
    output: Annotated[Path, typer.Option(help="Project folder; an older project there is replaced, but for one with "
                                              "vendor reports.")],
    config: WeightsConfig = None,
    backend: BackendName = None,
    force: Force = False,
) -> None:
    """Write a C++ project: hls4ml's network, the chip's data path around it, testbench, scripts for the vendor tool.

    Example: econ-t convert --weights runs/econ_t_5elink/weights.npz --output runs/econ_t_5elink/hls_vitis
    --backend vitis
    """
    chosen, codes = load_configured(weights, config)
    name = backend_name(backend, chosen.hls.backend)
    write_project(chosen, output, name, codes, force=force)
    typer.echo(f"{name} project of {chosen.name} in {output}")
