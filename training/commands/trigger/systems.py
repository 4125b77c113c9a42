"""Command `trigger systems`: list what `trigger run --system` takes by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.console import Column, console_for, show_table
from training.trigger.system import SYSTEMS, Rule, System


def systems() -> None:
    """List the systems of this project: name, title and the rules of which the first that fits a module is taken.

    Example: econ-t trigger systems
    """
    found = {path.stem: System.load(path) for path in sorted(SYSTEMS.glob("*.yaml"))}
    show_table(console_for(), "systems for trigger run --system", [
        "system", Column("title", wraps=True), Column("rules, the first that fits is taken", wraps=True)],
        [(name, system.name, "; ".join(" ".join(_words(rule)) for rule in system.rules))
         for name, system in found.items()])


def _words(rule: Rule) -> Iterator[str]:
    for key, value in rule.model_dump(exclude_defaults=True).items():
        yield _numbers(value) if key == "algorithm" else f"{key} {_numbers(value)}"


def _numbers(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
