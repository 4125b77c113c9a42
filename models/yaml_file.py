"""Plain YAML files with the line of every key; aliases, repeated keys and large files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from models.errors import InputError, nearest

_MAX_FILE_BYTES = 1 << 20

Location = tuple[str | int, ...]
"""Keys and indices that lead to a value of a file."""

BAD_YAML = (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading YAML raises: its own errors, and those of a value that does not fit its tag (`!!timestamp x`)."""


def named_file(folder: Path, name: str, what: str) -> Path:
    """`folder/name.yaml`; raises InputError, with the names that there are, if it is missing."""
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        raise InputError(f"{name}: no such file and no {what} of this name; expected a file or one of "
                         f"{', '.join(known)}{nearest(name, known)}")
    return path


def read_yaml(path: Path) -> tuple[Any, dict[Location, int]]:
    """Content of a YAML file and the line of every key; refuses aliases, repeated keys and files over 1 MiB."""
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes, expected a YAML file of at most {_MAX_FILE_BYTES}")
    lines: dict[Location, int] = {}
    try:
        loader = _PlainLoader(path.read_text(encoding="utf-8"))
        loader.name = str(path)
        root = loader.get_single_node()
        if root is None:
            return None, lines
        _note_lines(path, root, (), lines)
        return loader.construct_document(root), lines
    except yaml.MarkedYAMLError as error:
        where = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{where}: not readable as YAML: {error.problem}") from None
    except RecursionError:
        raise InputError(f"{path}: not readable as YAML: nested too deep") from None
    except BAD_YAML as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not readable as YAML: {error}") from None


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases: a few can unpack to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            alias: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise InputError(f"{self.name}:{alias.start_mark.line + 1}: alias *{alias.anchor}, expected plain values")
        return super().compose_node(parent, index)


def _note_lines(path: Path, node: yaml.Node, location: Location, lines: dict[Location, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*location, str(key.value))
            if here in lines:
                raise InputError(f"{path}:{key.start_mark.line + 1}: key '{key.value}' is given twice, "
                                 f"first in line {lines[here]}")
            lines[here] = key.start_mark.line + 1
            _note_lines(path, value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*location, index)] = value.start_mark.line + 1
            _note_lines(path, value, (*location, index), lines)
