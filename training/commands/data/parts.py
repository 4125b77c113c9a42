"""Jobs of the commands `data`: run their parts here or on a farm, and show the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from models.errors import InputError
from training.commands.console import log_to_console, part_progress
from training.production.farm import FarmConfig, Part, run
from training.production.steps import rows_written


def run_parts(
    parts: Sequence[Part], output: Path, workers: int, farm: Path | None, force: bool
) -> dict[str, int]:
    """Run the unfinished parts, show and return the sum of all counts; raises InputError if no rows are left.

    `force`: replace results of the same rows with other options.
    """
    log_to_console()
    config = FarmConfig.load(farm) if farm is not None else FarmConfig(n_workers=workers)
    with part_progress(len(parts)) as done:
        results = run(parts, output, config, done, force=force)
    total: dict[str, int] = {}
    for counts in results.values():
        for name, number in counts.items():
            total[name] = total.get(name, 0) + number
    if not rows_written(total):
        shown = ", ".join(f"{name} {number}" for name, number in total.items())
        raise InputError(f"{output}: no rows are left to write ({shown})")
    show_counts(f"{len(parts)} parts in {output}", total)
    return total


def show_counts(what: str, counts: Mapping[str, int]) -> None:
    """Print counts as one line on stderr."""
    typer.echo(f"{what}: " + ", ".join(f"{name} {number}" for name, number in counts.items()), err=True)
