"""Hooks of the documentation site: the reference of commands is written from the commands themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import typer.main

from models.command_line import LazyGroup

PACKAGES = ("training", "emulator", "hls", "rtl", "models", "bitexact_tests")
MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return markdown.replace(MARK, "\n".join(commands())) if MARK in markdown else markdown


def commands() -> Iterator[str]:
    """Markdown lines for every command of every package."""
    for package in PACKAGES:
        app = importlib.import_module(f"{package}.__main__").app
        yield from _lines(typer.main.get_command(app), f"python -m {package}", 2)


def _lines(command: Any, name: str, level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} {name}", "", *_paragraphs(command.help or ""), "")
    if hasattr(command, "commands"):
        for sub_name, sub in command.commands.items():
            known = command.load(sub_name) if isinstance(command, LazyGroup) else sub
            yield from _lines(known, f"{name} {sub_name}", level + 1)
        return
    context = command.make_context(name, [], resilient_parsing=True)
    records = [param.get_help_record(context) for param in command.params if param.name != "help"]
    if any(records):
        yield from ("| option | meaning |", "|---|---|")
    for option, meaning in filter(None, records):
        yield f"| `{option}` | {' '.join(meaning.split())} |".replace("[", "\\[")


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a docstring; one that shows a command is a block of code."""
    for paragraph in text.split("\n\n"):
        plain = " ".join(paragraph.split())
        said, found, line = plain.partition("python -m ") if "`python" not in plain else (plain, "", "")
        if said and found:
            yield from (said.strip(), "")
        yield from ("```bash", f"python -m {line}", "```", "") if found else (plain, "")
