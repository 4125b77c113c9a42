"""The command `python -m rtl constant`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.errors import one_line_errors

RESULT_FILE = "constant.json"


def constant(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    output: Annotated[Path, typer.Option(help="Folder of the project; an older project there is replaced.")],
    stages: Annotated[int, typer.Option(min=1, help="Parts between registers.")] = 2,
    synthesise: Annotated[bool, typer.Option(help="Also map the Verilog with Yosys, minutes.")] = True,
) -> None:
    """Write the two layers with these weights as constants: Verilog and vendor scripts by da4ml, and what it takes.

    Example: python -m rtl constant --config configs/econ_t_5elink.yaml --weights runs/econ_t_5elink/weights.npz
    --output runs/econ_t_5elink/constant
    """
    with one_line_errors():
        import sys

        from models.config import Config
        from models.files import atomic_directory
        from models.register_weights import load_weights
        from rtl.constant.project import ConstantProject, mapped, rows
        from rtl.results import ConstantSynthesis

        chosen = Config.load(config)
        codes = load_weights(weights, chosen.encoder)
        with atomic_directory(output, guarded=True) as folder:
            project = ConstantProject.write(codes, folder, stages, chosen.hls.part, chosen.hls.clock_period_ns)
            found = rows(project, chosen.hls.clock_period_ns, mapped(project) if synthesise else None)
            codes.save(folder / "weights.npz")
            ConstantSynthesis(digest=chosen.encoder.digest(), stages=stages, implementations=found).save(
                folder / RESULT_FILE)
        for row in found:
            sys.stdout.write(f"{row.lut:,} LUT, {row.ff:,} FF, latency {row.latency_cycles} clocks, by {row.tool}\n")
