"""The command `synth`: the vendor tools on a C++ project."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from hls.backends import BACKENDS, project_backend
from hls.commands.options import BackendName, ProjectConfig, backend_name
from models.config import Config
from models.errors import InputError, ToolMissing


def synth(
    project: Annotated[Path, typer.Option(help="Project folder written by `convert`.")],
    config: ProjectConfig = None,
    backend: BackendName = None,
) -> None:
    """Run the vendor tools on a project (for vitis: Vitis HLS, then Vivado); fails if they are not installed.

    Example: econ-t synth --project runs/econ_t_5elink/hls_vitis
    """
    chosen = Config.load(config) if config else None
    tool = BACKENDS[backend_name(backend, chosen.hls.backend if chosen else project_backend(project))]
    tool.check(chosen, project)
    if not (project / tool.script).exists():
        raise InputError(f"--project {project}: {tool.script} is missing, expected a {tool.name} project")
    if not tool.available():
        raise ToolMissing(f"synthesis with {tool.name} {tool.missing()}; run {project / tool.script} on a machine "
                          "that has it")
    for command in tool.commands():
        status = subprocess.run(command, cwd=project, check=False).returncode
        if status:
            raise SystemExit(status)
