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
from models.wording import counted
from rtl.commands.console import tell
from rtl.commands.options import chip
from rtl.results import ChipSynthesis

app = typer.Typer(add_completion=False)


@app.command(cls=with_old_names({"--summary": "--json"}))
def activity(
    weights: WeightsFile,
    input: CalqFile,
    netlists: Annotated[Path, typer.Option(help="Folder written by `synth --technology gates --netlists`, or osu018.")],
    json_: Annotated[Path, typer.Option("--json", help="Summary of the same `synth`; the activity is added to it.")],
    config: WeightsConfig = None,
    events: Annotated[int, typer.Option(min=1, help="Number of events, from the first on.")] = 6000,
    order: Order = None,
) -> None:
    """Count how often the gates of a mapped design change: a measure of power; in cells of osu018 also their energy.

    Example: econ-t rtl activity --weights runs/econ_t_5elink/weights.npz --input calq.csv --netlists gates
    --json rtl_gates.json
    """
    from rtl.mapping.synthesis import SILICON  # noqa: PLC0415  (Amaranth, which --help does without)
    from rtl.simulation.activity import measure  # noqa: PLC0415

    design = ChipSynthesis.load(json_)
    if design.technology not in SILICON:
        raise InputError(f"{json_}: technology {design.technology}, expected {' or '.join(SILICON)}")
    chosen, codes = load_configured(weights, config)
    chosen.encoder.check_same(design.digest, f"{json_}: made")
    calq = read_calq(input, column_order(order, chosen.data.order)).calq[:events]
    top = chip(chosen, "asic", design.redundant, design.fold, design.pipelined)
    found = measure(top, netlists, codes, calq, design.technology)
    design.model_copy(update={"activity": found}).save(json_)
    energy = "" if found.energy is None else f", {found.energy.total_pj:,.0f} pJ per event"
    tell(f"{counted(found.events, 'event')}: {found.changes:,.0f} changes of gates and flip-flops per event{energy}")
