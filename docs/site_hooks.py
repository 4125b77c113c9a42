"""Hooks of the documentation site: the reference of commands is written from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from models.command_line import LazyGroup, econ_t, to_paste

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return markdown.replace(MARK, "\n".join(commands())) if MARK in markdown else markdown


def commands() -> Iterator[str]:
    """Markdown lines for every command."""
    yield from _commands(typer.main.get_command(econ_t()), "econ-t", 2)


def _commands(group: LazyGroup, name: str, level: int) -> Iterator[str]:
    for sub_name in group.table:
        yield from _lines(group.load(sub_name), f"{name} {sub_name}", level)


def _lines(command: Any, name: str, level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} {name}", "", *(" ".join(one.split()) + "\n" for one in (
        command.help or "").split("\n\n")), "")
    for example in command.examples:
        yield from ("```bash", to_paste(example), "```", "")
    context = command.make_context(name, [], resilient_parsing=True)
    records = [param.get_help_record(context) for param in command.params if param.name != "help"]
    if any(records):
        yield from ("| option | meaning |", "|---|---|")
    for option, meaning in filter(None, records):
        yield f"| `{option}` | {' '.join(meaning.split())} |".replace("[", "\\[")
    if isinstance(command, LazyGroup):
        yield from _commands(command, name, level + 1)
