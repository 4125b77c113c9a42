"""Hooks of the documentation site: the reference of commands is written from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from models.command_line import LazyGroup, econ_t

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
    yield from ("", f"{'#' * level} {name}", "", *_paragraphs(command.help or ""), "")
    context = command.make_context(name, [], resilient_parsing=True)
    records = [param.get_help_record(context) for param in command.params if param.name != "help"]
    if any(records):
        yield from ("| option | meaning |", "|---|---|")
    for option, meaning in filter(None, records):
        yield f"| `{option}` | {' '.join(meaning.split())} |".replace("[", "\\[")
    if isinstance(command, LazyGroup):
        yield from _commands(command, name, level + 1)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a docstring; one that shows a command is a block of code."""
    for paragraph in text.split("\n\n"):
        plain = " ".join(paragraph.split())
        said, found, line = plain.partition("econ-t ") if "`econ-t" not in plain else (plain, "", "")
        if said and found:
            yield from (said.strip(), "")
        yield from ("```bash", f"econ-t {line}", "```", "") if found else (plain, "")
