"""The command `constant`: the two layers with fixed weights."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from models.configured import load_configured
from models.errors import InputError
from models.files import atomic_directory
from models.options import Force, WeightsConfig, WeightsFile
from models.weights import WEIGHTS_FILE, EncoderWeights
from rtl.commands.console import tell_sizes, waiting
from rtl.results import ConstantSynthesis

RESULT_FILE = "constant.json"


def constant(
    weights: WeightsFile,
    output: Annotated[Path, typer.Option(help="Project folder; an older one of the same weights is replaced.")],
    config: WeightsConfig = None,
    stages: Annotated[int | None, typer.Option(min=1, help="Pipeline stages; default: 2, or 1 for fewer than two "
                                                           "adders in a row.")] = None,
    synthesise: Annotated[bool, typer.Option(help="Also map the Verilog with Yosys; takes minutes.")] = True,
    force: Force = False,
) -> None:
    """Write the two layers with these weights as constants: Verilog and vendor scripts by da4ml, and their size.

    Example: econ-t rtl constant --weights runs/econ_t_5elink/weights.npz --output runs/econ_t_5elink/constant
    """
    from rtl.constant.project import ConstantProject, mapped, rows  # noqa: PLC0415  (Amaranth, which --help does without)

    chosen, codes = load_configured(weights, config)
    if not force:
        _check_older(output, codes, stages, synthesise)
    with atomic_directory(output, guarded=True) as folder:
        project = ConstantProject.write(codes, folder, stages, chosen.hls.part, chosen.hls.clock_period_ns)
        with waiting("mapping the Verilog with Yosys"):
            found = rows(project, chosen.hls.clock_period_ns, mapped(project) if synthesise else None)
        codes.save(folder / WEIGHTS_FILE)
        ConstantSynthesis(digest=chosen.encoder.digest(), stages=project.stages, implementations=found).save(
            folder / RESULT_FILE)
    tell_sizes(found)


def _check_older(output: Path, weights: EncoderWeights, stages: int | None, synthesise: bool) -> None:
    """Raise InputError if a folder holds a mapping, which took minutes, that this command would not give again."""
    kept, same = None, False
    with suppress(InputError, FileNotFoundError):  # none yet, or somebody else's: refused as a whole
        kept = ConstantSynthesis.find(output / RESULT_FILE)
        same = EncoderWeights.load(output / WEIGHTS_FILE).digest() == weights.digest()
    if kept is None or len(kept.implementations) == 1:
        return
    if not (same and synthesise and stages in (None, kept.stages)):
        raise InputError(f"{output}: holds a mapping with other weights or options; choose another --output, or give "
                         "--force to replace it")
