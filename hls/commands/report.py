"""The command `report` of the C++ side: what the hardware takes, and according to which tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hls.backends import BACKENDS
from hls.commands.options import ProjectConfig
from hls.report import CHIP, counted, implementations
from models.configured import find_config
from models.console import Column, result_console, show_table, write_csv
from models.errors import InputError
from models.hardware import Implementation
from models.options import CsvFile, JsonFile
from models.result import ResultList


def report(
    config: ProjectConfig = None,
    project: Annotated[list[str] | None,
                       typer.Option(help="BACKEND=FOLDER of a synthesised project; may be repeated.")] = None,
    json_: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Show resources and latency, and the tool behind each value.

    Example: econ-t resources --project vitis=runs/econ_t_5elink/hls_vitis
    """
    folders = {}
    for entry in project or []:
        name, _, folder = entry.partition("=")
        if name not in BACKENDS or not folder:
            raise InputError(f"--project {entry}, expected {' or '.join(f'{one}=FOLDER' for one in BACKENDS)}")
        folders[name] = Path(folder)
    if not (config or folders):
        raise InputError("nothing to report; expected --config or --project")
    # Without a configuration, all projects must be of that of the first.
    chosen = find_config(next(iter(folders.values()), Path()) / "weights.npz", config)
    rows = [CHIP, *implementations(folders, chosen)]
    console = result_console(json_, csv)
    show_table(console, f"{chosen.name}: counted", ["quantity", "value", Column("source", wraps=True)],
               [(one.quantity, one.value, one.source) for one in counted(chosen)])
    console.print()
    show_table(console, f"{chosen.name}: implementations", [Column(title, wraps=True) for title in (
        "implementation", "values", "tool")], [(row.name, row.summary(), row.tool) for row in rows])
    if json_:
        ResultList[Implementation](tuple(rows)).save(json_)
    if csv:
        write_csv(csv, [row.model_dump() for row in rows])
