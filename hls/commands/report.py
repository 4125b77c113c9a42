"""The command `report` of the C++ side: what the hardware takes, and according to which tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hls.backends import BACKENDS
from hls.commands.options import ProjectConfig
from hls.report import CHIP, counted, implementations
from models.configured import find_config
from models.errors import InputError


def report(
    config: ProjectConfig = None,
    project: Annotated[list[str] | None,
                       typer.Option(help="BACKEND=FOLDER of a synthesised project; may be repeated.")] = None,
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
    console = Console()
    quantities = Table("quantity", "value", "source", title=f"{chosen.name}: counted")
    for one in counted(chosen):
        quantities.add_row(one.quantity, one.value, one.source)
    table = Table("implementation", "values", "tool", title=f"{chosen.name}: implementations", show_lines=True)
    for row in [CHIP, *implementations(folders, chosen)]:
        table.add_row(row.name, row.summary(), row.tool)
    console.print(quantities, table)
