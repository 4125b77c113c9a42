"""The command `verify`: the emulator against published test vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emulator.commands.progress import with_progress
from emulator.mismatch import Mismatch
from emulator.results import VectorCheck
from emulator.verify import SetResult, find_sets, verify_sets
from models.console import Column, result_console, show_table, write_csv
from models.options import ChipRevision, CsvFile, JsonFile


def verify(
    folders: Annotated[list[Path], typer.Argument(help="Vector sets, or folders that hold some.")],
    revision: ChipRevision = None,
    json_: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Compare the emulator with published test vectors, bit by bit.

    A set is a folder with init.yaml and testOutput.csv, and testInput.csv beside them or one folder up. Exits with 0 if
    every set is exact, or explained: known to be published wrong or without an output. Exits with 1 if a bit differs
    otherwise or a set cannot be read. Example: econ-t chip verify econt_vectors econt_vectors_production
    """
    results = list(with_progress(verify_sets(find_sets(folders), revision)))
    found = VectorCheck.of(results)
    _show(results, found, result_console(json_, csv))
    if json_:
        found.save(json_)
    if csv:
        write_csv(csv, [one.model_dump() for one in found.sets])
    if not found.fine:
        raise SystemExit(1)


def _show(results: Sequence[SetResult], found: VectorCheck, console: Console) -> None:
    rows = []
    for result in results:
        chip, links = (result.registers.revision, str(result.n_elinks)) if result.registers else ("", "")
        first = f", {result.first}" if result.status == "different" else ""
        rows.append((result.name, chip, result.algorithm, links, f"{result.n_frames:,}", f"{result.n_exact:,}",
                     f"{result.status}{first}"))
    columns = [Column("set"), Column("chip", optional=True), Column("algorithm", optional=True),
               Column("links", right=True, optional=True), Column("frames", right=True, optional=True),
               Column("exact", right=True), Column("result", wraps=True)]
    show_table(console, "emulator and published vectors, frames", columns, rows,
               [k for k, one in enumerate(results) if not one.fine])
    for result in results:
        if result.status == "different" and result.first:
            _show_mismatch(console, result.folder, result.first)
    for result in results:
        for text in (f"{result.status}: {result.reason}" if result.reason else "", *result.notes):
            if text:
                console.print(f"{result.name}: {text}")
    console.print(str(found))


def _show_mismatch(console: Console, folder: Path, first: Mismatch) -> None:
    frame = "" if first.frame_bx is None else f", frame of BX {first.frame_bx}"
    rows = [*first.words, *first.fields]
    show_table(console, f"{folder.parent.name}/{folder.name}: BX {first.bx}{frame}", ["", "expected", "found"],
               [(row.name, row.expected, row.found) for row in rows],
               [k for k, row in enumerate(rows) if row.expected != row.found])
