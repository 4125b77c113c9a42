"""What `compare` says of two captures."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from emulator.capture.results import CaptureComparison, FirstDifference, Guess
from emulator.commands.capture_report import listed
from models.chip import LINK_BITS
from models.console import Column, show_table
from models.wording import counted

_MOST_FIELDS = 12
"""Fields of the first difference that are shown; JSON has all."""


def show_comparison(out: Console, result: CaptureComparison) -> None:
    """The guess, the first difference and how often links, bits and fields differ."""
    out.print(f"{result.n_equal:,} of {counted(result.n_compared, 'row')} equal: {result.recorded} on "
              f"{result.expected}")
    for line in _places(result):
        out.print(line)
    for guess in result.guesses:
        out.print(_guess(guess), style="bold")
    if not result.guesses and result.n_equal < result.n_compared:
        out.print("No guess at the cause" + (": --registers and --input say more" if result.n_frames is None else ""))
    if result.first:
        _show_first(out, result.first)
        _show_links(out, result)
        _show_fields(out, result)


def _places(result: CaptureComparison) -> Iterable[str]:
    if not result.n_compared:
        yield "No recorded row is one of the expected rows"
    elif result.first_place > 0:
        yield (f"Recorded line 2 is expected line {result.first_place + 2}: the capture begins {result.first_place} BX "
               "on")
    elif result.first_place < 0:
        yield f"Recorded line {2 - result.first_place} is expected line 2: the capture is {-result.first_place} BX late"
    gaps = [f"{abs(gap.missing)} {'missing' if gap.missing > 0 else 'too many'} before line {gap.row + 2}"
            for gap in result.gaps]
    if gaps:
        yield f"Rows {listed(gaps)} of the recorded capture"


def _guess(guess: Guess) -> str:
    if guess.n_exact is None:
        return f"Guess: {guess.text}"
    return f"Guess: {guess.text} (put right, {guess.n_exact:,} of {counted(guess.n_rows, 'row')} are equal)"


def _show_first(out: Console, first: FirstDifference) -> None:
    where = "" if first.frame_bx in (None, first.bx) else f", frame of BX {first.frame_bx}"
    equal, different = ([row for row in first.fields if (row.expected == row.found) is same] for same in (True, False))
    rows = [*first.words, *equal, *different[:_MOST_FIELDS]]
    out.print()
    show_table(out, f"First difference: BX {first.bx}{where}", ["", Column("expected", right=True),
               Column("found", right=True)], [(row.name, row.expected, row.found) for row in rows],
               [k for k, row in enumerate(rows) if row.expected != row.found])
    if len(different) > _MOST_FIELDS:
        out.print(f"and {len(different) - _MOST_FIELDS} more fields of this frame")


def _show_links(out: Console, result: CaptureComparison) -> None:
    """Every link that differs, and which of its bits."""
    rows = [(f"TX_DATA_{link}", f"{n_rows:,}", "".join(_share(n, n_rows) for n in result.bits[link]))
            for link, n_rows in enumerate(result.links) if n_rows]
    out.print()
    show_table(out, "Differences by link and bit (. none, 1 to 9 tenths of the rows, # all)",
               ["link", Column("rows", right=True), f"bits {LINK_BITS - 1} to 0"], rows)


def _share(n: int, n_rows: int) -> str:
    if n in (0, n_rows):
        return "#" if n else "."
    return str(min(max(round(10 * n / n_rows), 1), 9))


def _show_fields(out: Console, result: CaptureComparison) -> None:
    if not result.fields:
        return
    rows = []
    for name, field in sorted(result.fields.items(), key=lambda item: -item[1].n_frames):
        places = sorted(field.places.items(), key=lambda item: (-item[1], item[0]))
        rows.append((name, f"{field.n_frames:,}", listed(f"{name}_{place}: {n:,}" for place, n in places)))
    out.print()
    show_table(out, f"Differences by field, in {counted(result.n_frames or 0, 'frame')}",
               ["field", Column("frames", right=True), Column("most often", wraps=True)], rows)
