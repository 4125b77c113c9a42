"""What the RTL commands show: progress where someone watches, and prose on stdout that a terminal breaks at blanks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import track

from models.console import console_for
from models.hardware import Implementation
from rtl.results import Placement

if TYPE_CHECKING:
    from rtl.design.block import Block


def blocks_progress(blocks: Sequence[Block]) -> Iterable[Block]:
    """Hand on the blocks of a design; a terminal shows how many are done."""
    console = console_for(stderr=True)
    return track(blocks, "blocks", console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on a terminal what goes on for seconds or minutes."""
    console = console_for(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def tell(text: str) -> None:
    """Print a line on stdout."""
    console_for().print(text)


def tell_sizes(rows: Iterable[Implementation]) -> None:
    """Print size, latency, clock and tool of each implementation."""
    for row in rows:
        tell(f"{row.summary()}, by {row.tool}")


def tell_placement(found: Placement) -> None:
    """Print clock, rate and size of a routed design, and the critical path of its slowest seed."""
    slowest, fastest = found.spread_mhz
    of = (f"median of {len(found.seeds)} seeds, {slowest:.1f} to {fastest:.1f} MHz" if len(found.seeds) > 1 else
          f"seed {found.seeds[0].seed}")
    used = found.utilisation
    hard = "".join(f", {n} of {available} {what}" for n, available, what in (
        (used.dsp, used.dsp_available, "multipliers"), (used.bram, used.bram_available, "memories")) if n)
    tell(f"{found.name} in {found.device}: {found.fmax_mhz:.1f} MHz ({of}), "
         f"{found.events_per_second / 1e6:.2f} million events/s, {used.lut:,} of {used.lut_available:,} LUT, "
         f"{used.ff:,} flip-flops{hard}")
    slow = min(found.seeds, key=lambda seed: seed.fmax_mhz)
    tell(f"critical path of seed {slow.seed}:")
    for part in slow.critical_path:
        tell(f"  {part.block}: {part.cells_ns:.2f} ns in cells, {part.wires_ns:.2f} ns in wires")
