"""Two trained sets head to head, the part of `compare` that takes two runs as arguments: tables and verdicts."""

from __future__ import annotations

from rich.console import Console

from models.console import Column, show_table
from models.wording import counted
from training.commands.console import show_remarks
from training.results.head_to_head import HeadToHead, PairedMetric, PairedSample

_MOST_DECIMALS = 5


def show_head_to_head(console: Console, result: HeadToHead) -> None:
    """Show a table per sample, the differences of several samples side by side, and a verdict for each sample."""
    columns = [Column("metric"), *(Column(title, right=True) for title in ("first", "second", "first - second")),
               *(Column(title, right=True, optional=True) for title in ("first better", "second better"))]
    for title, name, n_elinks in zip(("first", "second"), (result.first, result.second), result.n_elinks, strict=True):
        console.print(f"{title}: {name}, {counted(n_elinks, 'link')}")
    for number, sample in enumerate(result.samples, 1):
        console.print()
        show_table(console, f"sample {number}: {sample.n_selected:,} of {sample.n_modules:,} modules of {sample.data}",
                   columns, [_row(one) for one in sample.metrics])
    if len(result.samples) > 1:
        console.print()
        show_table(console, "first - second, each sample by itself",
                   ["metric", *(Column(f"sample {k}", right=True) for k in range(1, len(result.samples) + 1))],
                   [(row[0].title, *map(difference_text, row))
                    for row in zip(*(sample.metrics for sample in result.samples), strict=True)])
    console.print()
    for number, sample in enumerate(result.samples, 1):
        console.print(f"sample {number}: {verdict(result, sample)}")
        show_remarks(sample.remarks)


def verdict(result: HeadToHead, sample: PairedSample) -> str:
    """Which set has the smaller EMD on a sample, by how much, and on which part of the modules."""
    emd = sample.emd
    if emd.tie:
        return f"{result.first} and {result.second} tie: EMD {difference_text(emd)}, below three errors."
    assert emd.difference is not None
    better, worse, part = ((result.first, result.second, emd.first_better) if emd.difference < 0 else
                           (result.second, result.first, emd.second_better))
    size = with_error(abs(emd.difference), emd.difference_error)
    return (f"{better} has the smaller EMD, by {size}; it is nearer than {worse} for {part or 0:.0%} of {emd.n:,} "
            "modules.")


def _row(one: PairedMetric) -> tuple[str, ...]:
    return (one.title, with_error(one.first, one.first_error), with_error(one.second, one.second_error),
            difference_text(one), *("-" if part is None else f"{part:.0%}"
                                    for part in (one.first_better, one.second_better)))


def difference_text(one: PairedMetric) -> str:
    """Difference with its error and its sign."""
    return with_error(one.difference, one.difference_error, sign="+")


def with_error(value: float | None, error: float | None, sign: str = "") -> str:
    """Format a value with as many decimals as its error has in two digits; - if it is absent."""
    if value is None:
        return "-"
    if not error:
        return f"{value:{sign}.4g}"
    decimals = next((k for k in range(_MOST_DECIMALS) if error * 10**k >= 10), _MOST_DECIMALS)  # noqa: PLR2004  (10..99)
    return f"{value:{sign}.{decimals}f} ± {error:.{decimals}f}"
