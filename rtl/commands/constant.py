"""The command `constant`: the two layers with fixed weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from models.configured import load_configured
from models.files import atomic_directory
from models.options import WeightsConfig, WeightsFile
from rtl.constant.project import ConstantProject, mapped, rows
from rtl.results import ConstantSynthesis

RESULT_FILE = "constant.json"


def constant(
    weights: WeightsFile,
    output: Annotated[Path, typer.Option(help="Project folder; an older project there is replaced.")],
    config: WeightsConfig = None,
    stages: Annotated[int, typer.Option(min=1, help="Pipeline stages.")] = 2,
    synthesise: Annotated[bool, typer.Option(help="Also map the Verilog with Yosys; takes minutes.")] = True,
) -> None:
    """Write the two layers with these weights as constants: Verilog and vendor scripts by da4ml, and their size.

    Example: econ-t rtl constant --weights runs/econ_t_5elink/weights.npz --output runs/econ_t_5elink/constant
    """
    chosen, codes = load_configured(weights, config)
    with atomic_directory(output, guarded=True) as folder:
        project = ConstantProject.write(codes, folder, stages, chosen.hls.part, chosen.hls.clock_period_ns)
        found = rows(project, chosen.hls.clock_period_ns, mapped(project) if synthesise else None)
        codes.save(folder / "weights.npz")
        ConstantSynthesis(digest=chosen.encoder.digest(), stages=stages, implementations=found).save(
            folder / RESULT_FILE)
    for row in found:
        sys.stdout.write(f"{row.lut:,} LUT, {row.ff:,} FF, latency {row.latency_cycles} clocks, by {row.tool}\n")
