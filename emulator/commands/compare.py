"""The command `compare`: an expected and a recorded capture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from emulator.capture.causes import causes
from emulator.capture.differences import Differences, differences
from emulator.capture.matching import Overlay, overlay
from emulator.capture.results import (
    CaptureComparison,
    CaptureGap,
    FieldDifferences,
    FirstDifference,
    Guess,
    NumberPair,
)
from emulator.commands.comparison_report import show_comparison
from emulator.commands.options import FirstBx
from emulator.links import ERX, ETX
from emulator.mismatch import Difference, Mismatch
from emulator.verify import with_links_of
from models.console import result_console, write_csv
from models.errors import InputError
from models.options import ChipRevision, CsvFile, JsonFile
from models.registers import Registers


def compare(
    expected: Annotated[str, typer.Argument(help="eTx words as they should be (CSV, TX_DATA_0..12).")],
    recorded: Annotated[str, typer.Argument(help="eTx words as they were recorded; - is stdin.")],
    registers: Annotated[Path | None, typer.Option(help="Register file of the chip (YAML): decodes the "
                                                        "difference.")] = None,
    input: Annotated[str | None, typer.Option(help="eRx words of EXPECTED (CSV, RX_DATA_0..11): tries other "
                                                   "registers.")] = None,
    first_bx: FirstBx = 0,
    revision: ChipRevision = None,
    json_: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Compare two captures of the same data, and guess why they differ.

    The recorded one may begin elsewhere and lack rows; it is laid over the expected one first. Shown are the first
    difference, field by field, how often each link, bit and field differs, and a guess at the cause: links exchanged,
    inverted or late, bits inverted or stuck, one wrong register. Exits with 1 if a row differs or is missing.
    Example: econ-t chip compare expected.csv recorded.csv --registers init.yaml --input erx.csv
    """
    if input and not registers:
        raise InputError(f"--input {input} needs --registers")
    if expected == recorded == "-":
        raise InputError("EXPECTED and RECORDED are both stdin, expected a file for one of them")
    settings = Registers.load(registers, revision) if registers else None
    erx = ERX.read_all(input) if input else None
    there, here = ETX.read_all(expected), ETX.read_all(recorded)
    settings = with_links_of(settings, there) if settings else None
    laid = overlay(there, here)
    found = differences(laid.expected, laid.on_expected(laid.recorded), settings, first_bx)
    guesses = tuple(Guess(text=cause.text, n_exact=cause.n_exact, n_rows=cause.n_rows)
                    for cause in causes(laid, settings, erx, first_bx))
    result = _result(expected, recorded, laid, found, guesses, first_bx, decoded=settings is not None)
    show_comparison(result_console(json_, csv), result)
    if json_:
        result.save(json_)
    if csv:
        write_csv(csv, [{"link": link, "rows": n} | {f"bit_{len(bits) - 1 - k}": count for k, count in enumerate(bits)}
                        for link, (n, bits) in enumerate(zip(result.links, result.bits, strict=True))])
    if not result.equal:
        raise SystemExit(1)


def _result(
    expected: str, recorded: str, laid: Overlay, found: Differences, guesses: tuple[Guess, ...], first_bx: int, *,
    decoded: bool,
) -> CaptureComparison:
    steps = np.diff(laid.place) - 1
    gaps = tuple(CaptureGap(row=int(row) + 1, bx=first_bx + int(laid.place[row + 1]), missing=int(steps[row]),
                            exact=True) for row in np.flatnonzero(steps))
    return CaptureComparison(
        expected=expected, recorded=recorded, n_expected=len(laid.expected), n_recorded=len(laid.recorded),
        n_compared=laid.n_compared, n_equal=int(laid.exact(laid.recorded).sum()), first_place=int(laid.place[0]),
        gaps=gaps, links=tuple(found.links.tolist()), bits=tuple(map(tuple, found.bits.tolist())),
        n_frames=found.n_frames if decoded else None,
        fields={name: FieldDifferences(n_frames=n, places=_places(by_place)) for name, (n, by_place) in
                found.fields.items()},
        first=_first(found.first, first_bx) if found.first else None, guesses=guesses)


def _places(counts: np.ndarray) -> dict[int, int]:
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts)} if len(counts) > 1 else {}


def _first(mismatch: Mismatch, first_bx: int) -> FirstDifference:
    return FirstDifference(
        bx=first_bx + mismatch.bx, words=_pairs(mismatch.words), fields=_pairs(mismatch.fields),
        frame_bx=None if mismatch.frame_bx is None else first_bx + mismatch.frame_bx)


def _pairs(found: tuple[Difference, ...]) -> tuple[NumberPair, ...]:
    return tuple(NumberPair(name=one.name, expected=one.expected, found=one.found) for one in found)
