"""The command `faults`: single faults in the code, each of which a test must find."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from bitexact_tests.faults import Outcome, check, load_faults, page
from models.console import console_for
from models.errors import InputError
from models.files import write_text


def faults(
    only: Annotated[list[int] | None, typer.Option(help="Number of a fault, from 1; may be repeated.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the table as a page (Markdown).")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for the tests of one fault.")] = 600,
    workers: Annotated[int, typer.Option(min=1, help="Number of copies of the project that work in parallel.")] = 2,
) -> None:
    """Put each fault of faults.yaml into a copy of the project: a test must find it.

    Exits with 1 if one is not found, with 2 if one no longer applies. Example: econ-t faults --output docs/faults.md
    """
    console = console_for()

    def report(title: str, outcome: Outcome) -> None:
        found = outcome.caught_by or outcome.problem or "passed"
        console.print(f"{outcome.seconds:6.1f} s  {title}: {found}")

    listed = load_faults()
    if wrong := [n for n in only or [] if not 1 <= n <= len(listed)]:
        raise InputError(f"--only {wrong[0]}, expected 1..{len(listed)}")
    chosen = [listed[n - 1] for n in only] if only else listed
    start = time.monotonic()
    outcomes = check(chosen, timeout, workers, report)
    seconds = time.monotonic() - start
    if output:
        write_text(output, page(chosen, outcomes, seconds))
    for fault, outcome in zip(chosen, outcomes, strict=True):
        if outcome.caught_by is None:
            console.print(f"not found: {fault.file}: {fault.what} {outcome.problem}", style="red")
    caught = sum(outcome.caught_by is not None for outcome in outcomes)
    console.print(f"{caught} of {len(chosen)} faults found in {seconds:.0f} s")
    if caught < len(chosen):
        raise SystemExit(1)
