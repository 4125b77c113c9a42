"""The command `verify`: the emulator against published test vectors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from emulator.commands.progress import with_progress
from emulator.verify import Mismatch, SetResult, find_sets, verify_sets


def verify(
    folders: Annotated[list[Path], typer.Argument(help="Vector sets, or folders that hold some.")],
) -> None:
    """Compare the emulator with published test vectors, bit by bit.

    A set is a folder with init.yaml and testOutput.csv, and testInput.csv beside them or one folder up.
    Exits with 1 if a bit differs. Example: econ-t chip verify econt_vectors
    """
    results = list(with_progress(verify_sets(find_sets(folders))))
    _show(results)
    if not all(result.exact for result in results):
        raise SystemExit(1)


def _show(results: Sequence[SetResult]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table("set", "algorithm", "links", "frames", "exact", "first mismatch", title="emulator = chip?")
    for result in results:
        name = f"{result.folder.parent.name}/{result.folder.name}"
        table.add_row(name, result.algorithm, str(result.n_elinks), str(result.n_frames), str(result.n_exact),
                      str(result.first or ""), style=None if result.exact else "red")
    console.print(table)
    for result in results:
        if result.first:
            _show_mismatch(console, result.folder, result.first)
    n_exact, n_frames = sum(r.n_exact for r in results), sum(r.n_frames for r in results)
    console.print(f"{n_exact} of {n_frames} frames exact in {len(results)} sets", highlight=False)


def _show_mismatch(console: Console, folder: Path, first: Mismatch) -> None:
    frame = "" if first.frame_bx is None else f", frame of BX {first.frame_bx}"
    table = Table("", "expected", "found", title=f"{folder.parent.name}/{folder.name}: BX {first.bx}{frame}")
    for row in (*first.words, *first.fields):
        table.add_row(row.name, row.expected, row.found, style="red" if row.expected != row.found else None)
    console.print(table)
