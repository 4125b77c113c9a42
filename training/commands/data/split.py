"""Command `data split`: split rows by output links."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from models.console import result_console, write_csv
from models.errors import InputError
from models.files import write_text
from models.options import CsvFile, JsonFile
from training.commands.console import show_records
from training.commands.data.options import Farm, Folder, Force, Format, Inputs, ModuleList, Workers
from training.commands.data.parts import run_parts
from training.production import steps


def split(
    inputs: Inputs,
    output: Folder,
    allocation: Annotated[Literal["signal", "pile-up"], typer.Option(help="Links by layer or by module.")] = "signal",
    modules: ModuleList = None,
    per_bit_width: Annotated[bool, typer.Option("--per-bit-width", help="One class per number of bits per latent: 5 "
                                                                        "links and more are one.")] = False,
    json_: JsonFile = None,
    csv: CsvFile = None,
    format: Format = "csv",
    workers: Workers = 1,
    farm: Farm = None,
    force: Force = False,
) -> None:
    """Split rows into the folders nElinks_1 .. nElinks_13 by the output links of their module.

    Examples: econ-t data split calq --output split

    econ-t data split calq --allocation pile-up --modules ModuleLinkSummary.csv --output split

    econ-t data split wafers --allocation pile-up --modules geometry_hgcal.txt --output split
    """
    if (allocation == "pile-up") != (modules is not None):
        raise InputError("--allocation pile-up and --modules FILE need each other; give both or neither")
    parts = steps.split_parts(inputs, output, f".{format}", modules, per_bit_width)
    total = run_parts(parts, output, workers, farm, force, json_, csv)
    rows = sum(total.values())
    classes = sorted(total, key=lambda one: (one[:2] != "nE", len(one), one))
    show_records(result_console(json_, csv), f"modules by output links, {rows:,} rows", [
        {"class": name.replace("nElinks_", "links ").replace("_", " "), "rows": total[name],
         "part": f"{total[name] / rows:.1%}"} for name in classes])
    if json_:
        write_text(json_, json.dumps(total, indent=1) + "\n")
    if csv:
        write_csv(csv, [{"class": name, "rows": total[name]} for name in classes])
