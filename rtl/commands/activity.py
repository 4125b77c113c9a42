"""The command `activity`: how often the gates of a mapped design change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.command_line import with_old_names
from models.configured import load_configured
from models.errors import InputError
from models.options import CalqFile, Order, WeightsConfig, WeightsFile
from rtl.commands.options import chip
from rtl.results import ChipSynthesis
from rtl.simulation.activity import measure

app = typer.Typer(add_completion=False)


@app.command(cls=with_old_names({"--summary": "--json"}))
def activity(
    weights: WeightsFile,
    input: CalqFile,
    netlists: Annotated[Path, typer.Option(help="What `synth --technology gates --netlists` wrote.")],
    json_: Annotated[Path, typer.Option("--json", help="What the same run of `synth` wrote; the activity is added.")],
    config: WeightsConfig = None,
    events: Annotated[int, typer.Option(min=1, help="Number of events, the first of the input.")] = 6000,
    order: Order = None,
) -> None:
    """How often the gates of a mapped design change on events: a measure of its power without a cell library.

    Example: econ-t rtl activity --weights runs/econ_t_5elink/weights.npz --input calq.csv --netlists gates
    --json rtl_gates.json
    """
    chosen, codes = load_configured(weights, config)
    design = ChipSynthesis.load(json_)
    for key, given, wanted in (("technology", design.technology, "gates"),
                               ("digest", design.digest, chosen.encoder.digest())):
        if given != wanted:
            raise InputError(f"{json_}: {key} {given}, expected {wanted}")
    calq = read_calq(input, column_order(order, chosen.data.order)).calq[:events]
    top = chip(chosen, "asic", design.redundant, design.fold)
    found = measure(top, netlists, codes, calq)
    design.model_copy(update={"activity": found}).save(json_)
