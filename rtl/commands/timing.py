"""The command `timing`: static timing of a design in standard cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.config import Config
from models.console import Column, result_console, show_table, write_csv
from models.errors import InputError
from models.options import ConfigFile, CsvFile
from rtl.commands.options import chip
from rtl.results import ChipSynthesis


def timing(
    config: ConfigFile,
    netlists: Annotated[Path, typer.Option(help="Folder written by `synth --technology osu018 --netlists`.")],
    json_: Annotated[Path, typer.Option("--json", help="Summary of the same `synth`; the timing is added to it.")],
    csv: CsvFile = None,
) -> None:
    """Find the slack of every register at 25 ns in standard cells, without wires, by OpenSTA.

    Example: econ-t rtl timing --config econ_t_5elink --netlists osu018 --json rtl_osu018.json
    """
    from rtl.mapping.static_timing import static_timing  # noqa: PLC0415  (Amaranth, which --help does without)

    if not json_.exists():
        raise InputError(f"{json_}: no such file; 'econ-t rtl synth --technology osu018 --netlists {netlists} --json "
                         f"{json_}' writes it")
    design = ChipSynthesis.load(json_)
    if design.technology != "osu018":
        raise InputError(f"{json_}: technology {design.technology}, expected osu018")
    chosen = Config.load(config)
    chosen.encoder.check_same(design.digest, f"{json_}: made")
    found = static_timing(chip(chosen, "asic", design.redundant, design.fold, design.pipelined), netlists)
    design.model_copy(update={"static_timing": found}).save(json_)
    stages = sorted(found.stages, key=lambda stage: stage.slack_ns)
    show_table(result_console(csv), "slack of each register at 25 ns, and the cells on its slowest path",
               ["register", *(Column(title, right=True) for title in ("slack [ns]", "bits", "cells"))],
               [(one.register_name, f"{one.slack_ns:.2f}", str(one.bits), str(one.cells)) for one in stages])
    if csv:
        write_csv(csv, [one.model_dump(exclude={"path"}) for one in stages])
