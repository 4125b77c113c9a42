"""Options shared by the C++ commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hls.backends import BACKENDS
from models.errors import InputError, nearest

BackendName = Annotated[str | None, typer.Option("--backend",
                                                 help="vitis or catapult; default: the configuration's.")]
ProjectConfig = Annotated[Path | None, typer.Option("--config", help="Configuration; default: that of the project.")]


def backend_name(given: str | None, configured: str) -> str:
    """The given backend, or the configured one; raises InputError for an unknown name."""
    name = given or configured
    if name not in BACKENDS:
        raise InputError(f"--backend {name}, expected {' or '.join(BACKENDS)}{nearest(name, BACKENDS)}")
    return name
