"""The command `decoder`: a compact decoder with its weights as constants."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from models.compact_decoder import CompactDecoder
from models.config import Config
from models.errors import InputError
from models.files import atomic_directory
from models.options import ConfigFile, DecoderFile, Force
from rtl.results import ConstantSynthesis

RESULT_FILE = "constant.json"


def decoder(
    decoder: DecoderFile,
    output: Annotated[Path, typer.Option(help="Project folder; an older one of the same decoder is replaced.")],
    config: ConfigFile = Path("econ_t_5elink"),
    stages: Annotated[int, typer.Option(min=1, help="Pipeline stages.")] = 4,
    synthesise: Annotated[bool, typer.Option(help="Also map the Verilog with Yosys; takes minutes.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Time limit for each stage, in seconds.")] = 3600,
    force: Force = False,
) -> None:
    """Write a compact decoder with its weights as constants: Verilog and vendor scripts by da4ml, and their size.

    Its input is the frame's latents, the first one lowest, then the 9-bit code of the module sum. The configuration
    names part and clock alone. Example: econ-t rtl decoder --decoder runs/econ_t_5elink/compact_3k.npz
    --output runs/econ_t_5elink/compact_3k
    """
    from rtl.constant.project import ConstantProject, mapped, rows  # noqa: PLC0415  (Amaranth, which --help does without)

    chosen = Config.load(config)
    found = CompactDecoder.load(decoder)
    kept = None if force else ConstantSynthesis.find(output / RESULT_FILE)
    if kept and len(kept.implementations) > 1 and (
            not synthesise or (kept.digest, kept.stages) != (found.digest(), stages)):
        raise InputError(f"{output}: holds a mapping with other weights or options; choose another --output, or give "
                         "--force to replace it")
    with atomic_directory(output, guarded=True) as folder:
        project = ConstantProject.write(found, folder, stages, chosen.hls.part, chosen.hls.clock_period_ns)
        measured = mapped(project, timeout) if synthesise else None
        listed = rows(project, chosen.hls.clock_period_ns, measured, f"RTL, {decoder.stem} with weights as constants")
        found.save(folder / "decoder.npz")
        result = ConstantSynthesis(digest=found.digest(), stages=project.stages, implementations=listed)
        result.save(folder / RESULT_FILE)
    for row in listed:
        sys.stdout.write(f"{row.lut:,} LUT, {row.ff:,} FF, latency {row.latency_cycles} clocks, by {row.tool}\n")
