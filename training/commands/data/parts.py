"""Jobs of the commands `data`: run their parts here or on a farm, and show the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.console import result_console
from models.errors import InputError
from models.wording import counted
from training.commands.console import log_to_console, part_progress
from training.production.farm import FarmConfig, Part, run
from training.production.steps import rows_written

_WORDS = {"read": "read", "partial": "partial", "sim_energy": "without energy of the process", "kept": "kept",
          "charge": "with too little charge", "left_out": "left out", "not_found": "not in the list",
          "other_inputs": "with encoder inputs that the chip would not compute"}
"""What follows a number of rows, by the name of the count."""


def run_parts(
    parts: Sequence[Part], output: Path, workers: int, farm: Path | None, force: bool, *files: str | None
) -> dict[str, int]:
    """Run the unfinished parts, show and return the sum of all counts; raises InputError if no rows are left.

    `force`: replace results of the same rows with other options. `files`: those that may take stdout.
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
        raise InputError(f"{output}: no rows are left to write ({counts_text(total)})")
    result_console(*files).print(f"{counted(len(parts), 'part')} in {output}: {counts_text(total)}")
    return total


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts of a step in words; of rows by links only how many there are, as a table follows."""
    by_links = [number for name, number in counts.items() if name.startswith(("nElinks_", "links "))]
    words = [f"{counted(sum(by_links), 'row')} with links"] if by_links else []
    for name, number in counts.items():
        if name in ("events", "modules", "rows"):
            words.append(counted(number, name.removesuffix("s")))
        elif not name.startswith(("nElinks_", "links ")):
            words.append(f"{number:,} {_WORDS[name]}")
    return ", ".join(words)
