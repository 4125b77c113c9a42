"""Parts of a report: sections with text, tables and figures. The template defines their looks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

_WORDS, _FEW = 3, 7  # columns


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, the value by which it is sorted, and the error of that value."""

    text: str
    value: float | str | None = None
    error: float | None = None


@dataclass(frozen=True)
class Table:
    """A table; the columns in `numbers` are right-aligned. On a phone, each row of one that `stacks` is a paragraph."""

    titles: Sequence[str]
    rows: list[list[Cell]]
    numbers: frozenset[int] = frozenset()
    caption: str = ""
    stacks: bool = False

    @property
    def form(self) -> str:
        """How a narrow screen shows it: stacked, as words that wrap, as few columns, or many to be scrolled."""
        if self.stacks:
            return "stacked"
        if len(self.titles) <= _WORDS and not self.numbers:
            return "words"
        return "many" if self.has_many_columns else "few"

    @property
    def has_many_columns(self) -> bool:
        """Whether a number and its error may stand on two lines, to save room."""
        return len(self.titles) > _FEW


@dataclass(frozen=True)
class Plot:
    """A figure with its caption and the name of its file."""

    name: str
    figure: Figure
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A section of the page: its points stand above the text, and its children can be collapsed.

    `explorer` is the name of its interactive part.
    """

    title: str
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    children: list[Section] = field(default_factory=list)
    unfolded: bool = True
    explorer: str = ""
    points: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """Anchor of the section in the page."""
        return file_name(self.title)


@dataclass(frozen=True)
class Line:
    """A line of the verdict; kind is good, bad, soft or empty."""

    kind: str
    text: str


def plain_table(titles: list[str], rows: list[list[Any]], numbers: frozenset[int] = frozenset(), *,
                stacks: bool = False) -> Table:
    """Make a table of plain texts and numbers."""
    cells = [[Cell(str(one), one if isinstance(one, int | float) else None) for one in row] for row in rows]
    return Table(titles, cells, numbers, stacks=stacks)


def file_name(text: str) -> str:
    """Turn a title into the name of a file or an anchor."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
