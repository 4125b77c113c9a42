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
from emulator.mismatch import Mismatch
from emulator.results import VectorCheck
from emulator.verify import SetResult, find_sets, verify_sets
from models.options import ChipRevision, JsonFile


def verify(
    folders: Annotated[list[Path], typer.Argument(help="Vector sets, or folders that hold some.")],
    revision: ChipRevision = None,
    json_: JsonFile = None,
) -> None:
    """Compare the emulator with published test vectors, bit by bit.

    A set is a folder with init.yaml and testOutput.csv, and testInput.csv beside them or one folder up. Exits with 0 if
    every set is exact, or explained: known to be published wrong or without an output. Exits with 1 if a bit differs
    otherwise or a set cannot be read. Example: econ-t chip verify econt_vectors econt_vectors_production
    """
    results = list(with_progress(verify_sets(find_sets(folders), revision)))
    found = VectorCheck.of(results)
    _show(results, found, Console(stderr=json_ == "-", width=None if sys.stdout.isatty() else 160, highlight=False))
    if json_:
        found.save(json_)
    if not found.fine:
        raise SystemExit(1)


def _show(results: Sequence[SetResult], found: VectorCheck, console: Console) -> None:
    table = Table("set", "chip", "algorithm", "links", "frames", "exact", "result", title="emulator = chip?")
    for result in results:
        chip, links = (result.registers.revision, str(result.n_elinks)) if result.registers else ("", "")
        first = f", {result.first}" if result.status == "different" else ""
        table.add_row(result.name, chip, result.algorithm, links, str(result.n_frames), str(result.n_exact),
                      f"{result.status}{first}", style=None if result.fine else "red")
    console.print(table)
    for result in results:
        if result.status == "different" and result.first:
            _show_mismatch(console, result.folder, result.first)
    for result in results:
        for text in (f"{result.status}: {result.reason}" if result.reason else "", *result.notes):
            if text:
                console.print(f"{result.name}: {text}", markup=False, soft_wrap=True)
    console.print(str(found))


def _show_mismatch(console: Console, folder: Path, first: Mismatch) -> None:
    frame = "" if first.frame_bx is None else f", frame of BX {first.frame_bx}"
    table = Table("", "expected", "found", title=f"{folder.parent.name}/{folder.name}: BX {first.bx}{frame}")
    for row in (*first.words, *first.fields):
        table.add_row(row.name, row.expected, row.found, style="red" if row.expected != row.found else None)
    console.print(table)
