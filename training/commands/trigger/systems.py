"""Command `trigger systems`: list what `trigger run --system` takes by name."""

from __future__ import annotations

import typer

from training.trigger.system import SYSTEMS, System


def systems() -> None:
    """List the systems of this project: file, name and the rules of which the first that fits a module is taken.

    Example: econ-t trigger systems
    """
    for path in sorted(SYSTEMS.glob("*.yaml")):
        system = System.load(path)
        rules = "; ".join(" ".join(f"{key} {value}" for key, value in rule.model_dump(exclude_defaults=True).items())
                          for rule in system.rules)
        typer.echo(f"{path.stem}: {system.name}: {rules}")
