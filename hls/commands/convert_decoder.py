"""The command `convert-decoder`: a compact decoder as a C++ project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hls.commands.options import BackendName, backend_name
from hls.decoder import convert_decoder as write_project
from models.compact_decoder import CompactDecoder
from models.config import Config
from models.options import ConfigFile, DecoderFile, Force


def convert_decoder(
    decoder: DecoderFile,
    output: Annotated[Path, typer.Option(help="Project folder; an older project there is replaced.")],
    config: ConfigFile = Path("econ_t_5elink"),
    backend: BackendName = None,
    force: Force = False,
) -> None:
    """Write a C++ project of a compact decoder: hls4ml's network and scripts, and a testbench in integers.

    The configuration names part, clock and back end alone. Example: econ-t convert-decoder
    --decoder runs/econ_t_5elink/compact/compact_3k.npz --output runs/econ_t_5elink/compact/compact_3k_vitis
    """
    chosen = Config.load(config)
    name = backend_name(backend, chosen.hls.backend)
    found = CompactDecoder.load(decoder)
    write_project(found, output, name, chosen, force=force)
    typer.echo(f"{name} project of {decoder} in {output}")
