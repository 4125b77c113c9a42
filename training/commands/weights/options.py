"""Options that several commands of `weights` have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Published = Annotated[Path | None, typer.Option("--published", help="Measured busy modules, to evaluate the sets on; "
                                                                    "they are never trained on.")]
Sparse = Annotated[Path | None, typer.Option("--sparse", help="Measured sparse modules, likewise.")]
