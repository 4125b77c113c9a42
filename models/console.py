"""Tables on the terminal that lose neither a name nor a digit, whatever the width; not cut at all in a file or pipe."""

from __future__ import annotations

import csv
import io
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from models.files import write_text

_NO_LIMIT = 10_000  # columns of what is no terminal
_GAP = 3  # between columns
_LEAST_TEXT = 18  # columns for a text that wraps


@dataclass(frozen=True)
class Column:
    """A column: numbers stand right, texts may wrap at blanks; where there is no room, `optional` ones are left out."""

    title: str
    right: bool = False
    wraps: bool = False
    optional: bool = False


def console_for(*, stderr: bool = False) -> Console:
    """Console as wide as the terminal, or without limit where the output goes into a file or a pipe."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _NO_LIMIT, highlight=False, markup=False)


def show_table(
    console: Console, title: str, columns: Sequence[Column | str], rows: Sequence[Sequence[str]],
    bad: Iterable[int] = (),
) -> None:
    """Show rows of texts; those numbered in `bad` are red.

    Too wide a table loses its last optional columns, and says so. If that is not enough, each row is a paragraph.
    """
    every = [Column(one) if isinstance(one, str) else one for one in columns]
    kept, red = list(range(len(every))), frozenset(bad)
    console.print(title, style="bold", soft_wrap=True)
    least = [_least_width(one, [row[k] for row in rows]) for k, one in enumerate(every)]
    while sum(least[k] for k in kept) + _GAP * (len(kept) - 1) > console.width:
        optional = [k for k in kept if every[k].optional]
        if not optional:
            _show_paragraphs(console, every, rows, red)
            return
        kept.remove(optional[-1])
    console.print(_table(every, kept, least, rows, red))
    if len(kept) < len(every):
        left_out = ", ".join(every[k].title for k in range(len(every)) if k not in kept)
        console.print(f"Not shown in {console.width} columns: {left_out}", soft_wrap=True)


def _least_width(column: Column, cells: Sequence[str]) -> int:
    """Width without which a name or a number would be cut, and a text would be a word per line."""
    texts = [column.title, *cells]
    widest = max(map(len, texts))
    longest_word = max((len(word) for text in texts for word in text.split()), default=0)
    return max(min(widest, _LEAST_TEXT), longest_word) if column.wraps else widest


def _table(
    columns: Sequence[Column], kept: Sequence[int], least: Sequence[int], rows: Sequence[Sequence[str]],
    red: frozenset[int],
) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for k in kept:
        table.add_column(columns[k].title, justify="right" if columns[k].right else "left",
                         no_wrap=not columns[k].wraps, min_width=least[k])
    for number, row in enumerate(rows):
        table.add_row(*(row[k] for k in kept), style="red" if number in red else None)
    return table


def _show_paragraphs(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], red: frozenset[int]
) -> None:
    """Show each row as its first cell and, below it, as many `title value` per line as there is room for."""
    for number, row in enumerate(rows):
        style = "red" if number in red else None
        console.print(row[0], style=style, soft_wrap=True)
        line = ""
        for column, cell in zip(columns[1:], row[1:], strict=True):
            pair = f"{column.title} {cell}"
            if line and len(line) + len(pair) + 3 > console.width:
                console.print(line, style=style, soft_wrap=True)
                line = ""
            line = f"{line}   {pair}" if line else _wrapped(f"    {pair}", console.width)
        console.print(line, style=style, soft_wrap=True)


def _wrapped(line: str, width: int) -> str:
    return textwrap.fill(line, width, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)


def write_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write records with the same keys as CSV with a header; an absent value is an empty cell, and `-` is stdout."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
