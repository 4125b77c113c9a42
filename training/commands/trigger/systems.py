"""Command `trigger systems`: list what `trigger run --system` takes by name."""

from __future__ import annotations

from typing import Any

from models.console import Column, result_console, show_table, write_csv
from models.options import CsvFile, JsonFile
from models.result import ResultList
from training.results.trigger import ListedSystem
from training.trigger.system import SYSTEMS, Rule, System


def systems(json_: JsonFile = None, csv: CsvFile = None) -> None:
    """List the systems of this project: name, title and the rules of which the first that fits a module is taken.

    The CSV has a row per rule. Example: econ-t trigger systems
    """
    found = {path.stem: System.load(path) for path in sorted(SYSTEMS.glob("*.yaml"))}
    show_table(result_console(json_, csv), "systems for trigger run --system", [
        "system", Column("title", wraps=True), Column("rules, the first that fits is taken", wraps=True)],
        [(name, system.name, "; ".join(map(_words, system.rules)))
         for name, system in found.items()])
    listed = tuple(ListedSystem(name=name, title=system.name, links=system.links.allocation, rules=tuple(
        rule.model_dump(mode="json") for rule in system.rules), clusters=system.clusters.model_dump(mode="json"),
        layer_weights=system.layer_weights) for name, system in found.items())
    if json_:
        ResultList[ListedSystem](listed).save(json_)
    if csv:
        write_csv(csv, [{"system": one.name, "title": one.title, "links_by": one.links, "rule": number} | {
            key: _cell(value) for key, value in rule.items()}
            for one in listed for number, rule in enumerate(one.rules, 1)])


def _words(rule: Rule) -> str:
    """A rule as its algorithm and, in brackets, what it asks for."""
    others = rule.model_dump(exclude_defaults=True, exclude={"algorithm"})
    told = [f"{key.replace('_', ' ')} {_values(key, value)}" for key, value in others.items()]
    return f"{rule.algorithm} ({', '.join(told)})" if told else rule.algorithm


def _values(key: str, value: Any) -> str:
    if isinstance(value, tuple | list):
        return (" to " if key == "layers" else " and ").join(map(str, value))
    return str(value)


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value
