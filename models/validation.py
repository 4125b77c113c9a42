"""Strict models that change only into valid ones, and a validation error as one line."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from typing_extensions import Self

from models.errors import InputError, nearest
from models.yaml_file import Location


class Evolving(BaseModel):
    """A model whose copies with other values are validated."""

    def evolve(self, **changes: Any) -> Self:
        """A copy with other values; a mapping changes single fields of a section.

        Example: `spec.evolve(n_elinks=3, conv={"filters": 4})`. Raises InputError naming the field, its value and what
        was expected.
        """
        try:
            return type(self).model_validate(merged(self, changes))
        except ValidationError as error:
            raise InputError(explain(error, type(self))) from None


def merged(section: BaseModel, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a section, not yet valid, with other values; a mapping changes single fields of a section."""
    content = dict(section)
    for name, value in changes.items():
        old = content.get(name)
        content[name] = merged(old, value) if isinstance(old, BaseModel) and isinstance(value, Mapping) else value
    return content


def explain(
    error: ValidationError, model: type[BaseModel], source: object = "", lines: Mapping[Location, int] | None = None,
    where: str = "",
) -> str:
    """The first problem as `source:line: key: message`; `lines` knows the line of every key of the source.

    `where`: what else is to be said of the place, behind the problem and before a hint.
    """
    # A misspelt key is also a missing one: the unknown key is what the user can act on.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    location = known = tuple(first["loc"])
    while known and known not in (lines or {}):
        known = known[:-1]
    place = f"{source}:{lines[known]}" if lines and known else str(source)
    key = ".".join(map(str, location)) or ("file" if source else "")
    prefix = f"{place}: " if place else ""
    if first["type"] == "extra_forbidden":
        fields = _fields_at(model, location[:-1])
        hint = nearest(str(location[-1]), fields) or f"; expected one of {', '.join(fields)}"
        return f"{prefix}unknown key '{key}'{where}{hint}"
    if first["type"] == "missing":
        return f"{prefix}key '{key}' is missing{where}"
    message = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    return f"{prefix}{key}{': ' if key else ''}{message}{shown}{where}"


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """Valid keys of the section at `location`."""
    for step in location:
        annotation = model.model_fields[str(step)].annotation
        options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(model.model_fields)
