"""The reference of commands, written from the commands themselves: an extension of Markdown for the site's builder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main
from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from models.command_line import LazyGroup, econ_t, shorten_types, to_paste

MARK = "<!-- commands -->"
_BEFORE_ALL_OTHERS = 100


class CommandReference(Extension):
    """Puts all commands where a page has the mark."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  (its name in the library)
        """Called by the library."""
        md.preprocessors.register(_Mark(md), "commands", _BEFORE_ALL_OTHERS)


class _Mark(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        return [new for line in lines for new in (commands() if line.strip() == MARK else [line])]


def makeExtension(**_: Any) -> Extension:  # noqa: N802  (its name in the library)
    """Called by the library for the name of this module in mkdocs.yml."""
    return CommandReference()


def commands() -> Iterator[str]:
    """Markdown lines for every command."""
    for block in _commands(typer.main.get_command(econ_t()), "econ-t", 2):
        yield from block.split("\n")


def _commands(group: LazyGroup, name: str, level: int) -> Iterator[str]:
    for sub_name in group.table:
        yield from _lines(group.load(sub_name), f"{name} {sub_name}", level)


def _lines(command: Any, name: str, level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} {name}", "", *(" ".join(one.split()) + "\n" for one in (
        command.help or "").split("\n\n")), "")
    for example in command.examples:
        yield from ("```bash", to_paste(example), "```", "")
    context = command.make_context(name, [], resilient_parsing=True)
    shorten_types(command.params, context)
    records = [param.get_help_record(context) for param in command.params if param.name != "help"]
    if any(records):
        yield from ("| option | meaning |", "|---|---|")
    for option, meaning in filter(None, records):
        shown = " ".join(meaning.split()).replace("[", "\\[")
        yield f"| `{option.strip()}` | {shown} |"
    if isinstance(command, LazyGroup):
        yield from _commands(command, name, level + 1)
