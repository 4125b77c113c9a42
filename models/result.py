"""Results: what a command found, written to one JSON file and read back as the same object.

"Absent" is told in one way per layer: NaN in arrays in memory, None in results, null in their files. `FloatOrNone` and
`RoundedOrNone` turn the first into the second where a result is made; nothing turns it back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, RootModel, ValidationError

from models.errors import InputError, parsing
from models.files import write_text

if TYPE_CHECKING:
    from typing_extensions import Self

RowT = TypeVar("RowT", bound=BaseModel)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def _none_if_absent(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


_LONGEST_SHOWN = 60  # letters of a value in a repr

Rounded = Annotated[float, AfterValidator(_six_digits)]
"""Six significant digits: more than any mean over modules is worth."""

FloatOrNone = Annotated[float | None, BeforeValidator(_none_if_absent)]
RoundedOrNone = Annotated[Rounded | None, BeforeValidator(_none_if_absent)]


class ResultFile:
    """A pydantic model as one JSON file."""

    indent: ClassVar[int | None] = 1
    """Of the file; None writes it on one line."""

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all; `-` is stdout."""
        assert isinstance(self, BaseModel)
        write_text(path, self.model_dump_json(indent=self.indent) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The result in a file; raises InputError that names the file and the first key that is not as it must be."""
        assert issubclass(cls, BaseModel)
        with parsing(path, "JSON"):
            text = Path(path).read_bytes()
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(f"{path}: {_problem(error)}") from None

    @classmethod
    def find(cls, path: str | Path) -> Self | None:
        """The same, or None for a file that is not there."""
        return cls.load(path) if Path(path).exists() else None


class Result(ResultFile, BaseModel):
    """A named set of values. Types are strict: a number is not a text that looks like one; other keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """What each described value means, by name."""
        return {name: field.description for name, field in cls.model_fields.items() if field.description}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, _Short(value)


class ResultList(ResultFile, RootModel[tuple[RowT, ...]], Generic[RowT]):
    """Equal rows; the file is an array of objects."""

    model_config = ConfigDict(strict=True, frozen=True)

    @property
    def rows(self) -> tuple[RowT, ...]:
        """All rows, in order."""
        return self.root


class _Short:
    """What `repr` shows of a value that may be long."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        value, text = self._value, repr(self._value)
        if len(text) <= _LONGEST_SHOWN:
            return text
        return f"<{len(value)} items>" if isinstance(value, dict | tuple) else f"<{type(value).__name__}>"


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    key, message = ".".join(map(str, first["loc"])), first["msg"]
    if first["type"] == "json_invalid":
        return f"not readable as JSON: {message.removeprefix('Invalid JSON: ')}"
    if first["type"] == "missing":
        return f"key {key} is missing"
    if first["type"] == "value_error":
        return f"{key + ': ' if key else ''}{message.removeprefix('Value error, ')}"
    return f"{key + ': ' if key else ''}{message} (given: {str(first['input'])[:60]})"
