"""What `decode --align` says of a capture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from emulator.capture.align import Aligned
from emulator.capture.results import AlignedCapture, CaptureGap
from models.console import console_for
from models.wording import counted

_MOST_SHOWN = 5
"""Gaps and orbit starts that are listed; JSON has all."""


def aligned_capture(name: str, found: Aligned, n_rows: int) -> AlignedCapture:
    """The result of an alignment for its file."""
    row, bx, lanes = found.row, found.bx, found.lanes
    return AlignedCapture(
        capture=name, chip=found.registers.summary(), n_rows=n_rows, n_frames=int(found.is_frame.sum()),
        n_idle=int(found.is_idle.sum()), n_damaged=found.n_damaged, n_repeated=found.n_repeated,
        columns=lanes.columns, inverted=tuple(sorted(lanes.inverted)), first_bit=lanes.bit, n_orders=lanes.n_orders,
        first_bx=int(bx[0]), last_bx=int(bx[-1]), orbit_starts=tuple(found.orbit_starts.tolist()),
        gaps=tuple(CaptureGap(row=int(row[gap.row]), bx=int(bx[gap.row]), missing=gap.missing, exact=gap.exact)
                   for gap in found.numbering.gaps))


def show_alignment(out: Console, result: AlignedCapture) -> None:
    """What was found in a capture, one line for each kind of finding."""
    lines = {"chip": result.chip, "links": _links(result), "rows": _rows(result), "start": _start(result),
             "gaps": _gaps(result.gaps)}
    show_lines(out, f"{result.capture}: {counted(result.n_frames, 'frame')} of {counted(result.n_rows, 'row')} "
                    "recovered", lines)
    for warning in _warnings(result):
        console_for(stderr=True).print(f"warning: {warning}", style="yellow")


def show_lines(out: Console, title: str, lines: dict[str, str]) -> None:
    """Named lines below a title; long ones go on below themselves."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column()
    for name, text in lines.items():
        grid.add_row(name, text)
    out.print(title)
    out.print(Padding(grid, (0, 0, 0, 2), expand=False))


def listed(items: Iterable[object]) -> str:
    """The first of many things, and how many more there are."""
    shown = [str(item) for item in items]
    more = len(shown) - _MOST_SHOWN
    return ", ".join(shown[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _links(result: AlignedCapture) -> str:
    n = len(result.columns)
    if result.columns == tuple(range(n)):
        text = "in order"
    else:
        text = "; ".join(f"link {link} in TX_DATA_{column}" for link, column in enumerate(result.columns))
    if result.inverted:
        text += f"; inverted: {', '.join(f'TX_DATA_{column}' for column in result.inverted)}"
    if result.first_bit:
        text += f"; words begin at bit {result.first_bit} of those captured"
    return text


def _rows(result: AlignedCapture) -> str:
    return (f"{counted(result.n_frames, 'frame')}, {result.n_idle:,} idle, {result.n_damaged:,} damaged, "
            f"{result.n_repeated:,} repeated")


def _start(result: AlignedCapture) -> str:
    if not result.orbit_starts:
        return f"BX {result.first_bx} if no orbit passed: none starts here, so numbers are known modulo the counter"
    lines = listed(f"{row + 2}" for row in result.orbit_starts)
    return f"BX {result.first_bx}, last row BX {result.last_bx}; an orbit starts in line {lines}"


def _gaps(gaps: Sequence[CaptureGap]) -> str:
    return listed(f"{'' if gap.exact else 'at least '}{gap.missing:,} BX before line {gap.row + 2}"
                  for gap in gaps) or "none"


def _warnings(result: AlignedCapture) -> list[str]:
    found = []
    if result.n_orders > 1:
        found.append(f"the frames do not tell the order of the links: {result.n_orders} fit equally well; --links "
                     "says it")
    if result.n_orders == 0:
        found.append("no order of the links makes most rows frames; --links says it")
    return found
