"""Options that several commands of the emulator have."""

from __future__ import annotations

from typing import Annotated

import typer

FirstBx = Annotated[int, typer.Option("--first-bx", min=0,
                                      help="Number of the first bunch crossing; 0 starts an orbit.")]
