"""Progress of commands that do not know how much there is to come."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_Step = TypeVar("_Step")


def with_progress(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Pass steps on, showing how many there were if someone watches."""
    columns = SpinnerColumn(), TextColumn("{task.completed} {task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("done")
        for step in steps:
            yield step
            progress.advance(task)
