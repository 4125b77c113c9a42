"""Tables on the terminal that lose neither a name nor a digit, whatever the width; not cut at all in a file or pipe."""

from __future__ import annotations

import csv
import io
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from models.errors import InputError
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


class WholeWords(Console):
    """A console that breaks lines at blanks alone and cuts nothing: a path, a number, a word stays in one piece."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as Rich does; with `soft_wrap=True` a text stays as it is."""
        if not options.get("soft_wrap"):
            objects = tuple("\n".join(_broken(line, self.width) for line in one.split("\n"))
                            if isinstance(one, str) else one for one in objects)
        whole: dict[str, Any] = {"overflow": "ignore", "crop": False} | options
        super().print(*objects, **whole)

    def on_broken_pipe(self) -> None:
        """Go on in silence when the reader of a table went away (`| head`): the command may have files to write."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def console_for(*, stderr: bool = False) -> Console:
    """Console as wide as the terminal, or without limit where the output goes into a file or a pipe."""
    stream = sys.stderr if stderr else sys.stdout
    return WholeWords(stderr=stderr, width=None if stream.isatty() else _NO_LIMIT, highlight=False, markup=False)


def result_console(*files: str | Path | None) -> Console:
    """Console for what a command found: stdout, unless one of `files`, those of --json, --csv or --output, is `-`.

    Stdout is for that file then, and the tables go to stderr. Raises InputError if it is asked for two files.
    """
    if files.count("-") > 1:
        raise InputError("-, which is stdout, for two files, expected for one of --json, --csv and --output")
    return console_for(stderr="-" in files)


def say(text: str) -> None:
    """Print a remark, which is not the result of a command, on stderr; on a terminal it is broken at blanks."""
    console_for(stderr=True).print(text)


def show_table(
    console: Console, title: str, columns: Sequence[Column | str], rows: Sequence[Sequence[str]],
    bad: Iterable[int] = (),
) -> None:
    """Show rows of texts; those numbered in `bad` are red.

    Titles go on in a second line before anything is left out. Too wide a table loses its last optional columns, and
    says so. If that is not enough, each row is a paragraph.
    """
    every = [Column(one) if isinstance(one, str) else one for one in columns]
    kept, red = list(range(len(every))), frozenset(bad)
    console.print(title, style="bold")
    cells = [[row[k] for row in rows] for k in range(len(every))]
    least = [_least_width(one, column) for one, column in zip(every, cells, strict=True)]
    while _width(least[k] for k in kept) > console.width:
        optional = [k for k in kept if every[k].optional]
        if not optional:
            _show_paragraphs(console, every, rows, red)
            return
        kept.remove(optional[-1])
    widest = [max(map(len, [every[k].title, *cells[k]])) for k in kept]
    widths = _widths([least[k] for k in kept], widest, console.width)
    console.print(_table([every[k] for k in kept], widths, [[row[k] for k in kept] for row in rows], red))
    if len(kept) < len(every):
        left_out = ", ".join(every[k].title for k in range(len(every)) if k not in kept)
        console.print(f"Not shown in {console.width} columns: {left_out}")


def _width(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + _GAP * (len(found) - 1)


def _least_width(column: Column, cells: Sequence[str]) -> int:
    """Width without which a name or a number would be cut, and a text would be a word per line."""
    texts = [column.title, *cells]
    title = max(map(len, column.title.split()), default=0)
    if not column.wraps:
        return max(title, max(map(len, cells), default=0))
    longest_word = max((len(word) for text in texts for word in text.split()), default=0)
    return max(min(max(map(len, texts)), _LEAST_TEXT), longest_word)


def _widths(least: Sequence[int], widest: Sequence[int], room: int) -> list[int]:
    """Widths of columns that fit: the room that is left goes where lines break most."""
    widths = list(least)
    for _ in range(room - _width(least)):
        lines = [wish / have if wish > have else 0 for wish, have in zip(widest, widths, strict=True)]
        if not any(lines):
            break
        widths[lines.index(max(lines))] += 1
    return widths


def _table(
    columns: Sequence[Column], widths: Sequence[int], rows: Sequence[Sequence[str]], red: frozenset[int]
) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    titles = [_broken(one.title, width).split("\n") for one, width in zip(columns, widths, strict=True)]
    n_lines = max(map(len, titles))
    for column, width, lines in zip(columns, widths, titles, strict=True):
        table.add_column("\n".join([""] * (n_lines - len(lines)) + lines), justify="right" if column.right else "left",
                         no_wrap=not column.wraps, width=width)
    for number, row in enumerate(rows):
        table.add_row(*row, style="red" if number in red else None)
    return table


def _show_paragraphs(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], red: frozenset[int]
) -> None:
    """Show each row as its first cell and, below it, as many `title value` per line as there is room for."""
    for number, row in enumerate(rows):
        style = "red" if number in red else None
        console.print(f"{columns[0].title} {row[0]}" if row[0].isdigit() else row[0], style=style, soft_wrap=True)
        line = ""
        for column, cell in zip(columns[1:], row[1:], strict=True):
            pair = f"{column.title} {cell}"
            if line and len(line) + len(pair) + 3 > console.width:
                console.print(line, style=style, soft_wrap=True)
                line = ""
            line = f"{line}   {pair}" if line else _broken(f"    {pair}", console.width, "      ")
        console.print(line, style=style, soft_wrap=True)


def _broken(text: str, width: int, indent: str = "") -> str:
    """A text in lines, broken at blanks."""
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def write_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write records with the same keys as CSV with a header; an absent value is an empty cell, and `-` is stdout."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
