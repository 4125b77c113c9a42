"""Register files in any dialect, to memory and back; what a file leaves out keeps its value after reset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from models.chip import Revision
from models.dialects import BARE, Dialect, Keys, Setting, Tree, settings_of, tree_of
from models.errors import InputError, nearest
from models.register_map import MEMORY_BYTES, register_map

_NOT_THE_CHIP = ("i2c", "daq", "global")
"""Sections of published files about the test stand."""

_OF_THE_MAP = frozenset({"addr_base", "block_shift", "addr_offset", "addr_shift", "size_byte", "n_iterations",
                         "param_mask", "param_shift"})
"""Keys of the chip's register map that stand beside settings in files made from it, and set nothing."""

_SHOWN = 8  # names in a message
_FORM_OF_NESTED = ("registers", "params", "value", "param_value")


def read(path: Path, revision: Revision | None = None) -> tuple[bytearray, set[str], Dialect]:
    """Register memory after the settings of a file, the names of what it set, and its dialect.

    `revision` decides where the file does not tell. Raises InputError naming file, line, register, value and what was
    expected.
    """
    from models.yaml_file import read_yaml  # noqa: PLC0415  (PyYAML, which the emulator does without)

    content, lines = read_yaml(path)
    dialect = _dialect(path, content, revision)
    memory, given = register_map().reset_memory(), set[str]()
    for keys, setting, value in _assignments(path, lines, content, dialect):
        name, before = _name(keys, dialect), bytes(memory)
        try:
            names = setting.assign(memory, name, value)
            # One setting under two names of a flat file; a nested one may say `cal_*`, then `cal_3`.
            if names <= given and memory != before and not dialect.root:
                raise InputError(f"{name} = {value} contradicts another key of the same setting")
        except InputError as error:
            raise type(error)(f"{_place(path, lines, keys)}: {error}") from None
        given |= names
    return memory, given, dialect


def _dialect(path: Path, content: object, revision: Revision | None) -> Dialect:
    """The dialect that a file's top keys tell."""
    top = {str(key) for key in content} if isinstance(content, dict) else set()
    told = [dialect for dialect in Dialect if dialect.marker in top]
    if len(told) > 1:
        raise InputError(f"{path}: both '{told[0].marker}' and '{told[1].marker}' at the top, expected one dialect")
    if told:
        return told[0]
    flat = Dialect.PRODUCTION if revision is Revision.PRODUCTION else Dialect.P1_FLAT
    if revision and top & set(tree_of(flat)):
        return flat
    markers = [dialect.marker for dialect in Dialect]
    hint = next(filter(None, (nearest(key, markers) for key in sorted(top))), "")
    raise InputError(f"{path}: expected one of the keys {', '.join(markers)} at the top, which tells the dialect{hint}")


def _assignments(
    path: Path, lines: Mapping[Any, int], content: Any, dialect: Dialect
) -> Iterator[tuple[Keys, Setting, Any]]:
    """What a register file sets: (keys, setting, value)."""

    def walk(node: object, tree: Tree, keys: Keys) -> Iterator[tuple[Keys, Setting, Any]]:
        if not isinstance(node, dict) or (keys and not node):
            raise InputError(f"{_place(path, lines, keys)}: {_name(keys, dialect) or keys[-1]} is {node!r}, expected "
                             f"keys below it: {_some(tree)}")
        for key, value in node.items():
            here, found = (*keys, str(key)), tree.get(str(key))
            if found is None or key == BARE:
                if (not keys and key in _NOT_THE_CHIP) or (dialect.root and key in _OF_THE_MAP):
                    continue
                raise InputError(f"{_place(path, lines, here)}: unknown key {_name(here, dialect)}"
                                 + (nearest(str(key), tree) or f", expected {_some(tree)}"))
            if isinstance(found, Setting):
                yield here, found, value
            elif BARE in found and not isinstance(value, dict):
                bare = found[BARE]
                assert isinstance(bare, Setting)
                yield here, bare, value
            else:
                yield from walk(value, found, here)

    node, keys = content, Keys()
    for key in dialect.root:
        keys = (*keys, key)
        if not isinstance(node, dict) or key not in node:
            raise InputError(f"{_place(path, lines, keys[:-1])}: key '{'.'.join(keys)}' is missing")
        node = node[key]
    if node:
        yield from walk(node, tree_of(dialect), keys)


def _some(tree: Tree) -> str:
    names = [key for key in tree if key != BARE]
    return ", ".join(names[:_SHOWN]) + (", .." if len(names) > _SHOWN else "")


def _name(keys: Keys, dialect: Dialect) -> str:
    """A setting as messages call it: by its name in the map, or by the keys of a flat file."""
    return ".".join(key for key in keys[len(dialect.root) :] if not dialect.root or key not in _FORM_OF_NESTED)


def _place(path: Path, lines: Mapping[Any, int], keys: Keys) -> str:
    """`file:line` of the innermost of `keys` that stands in the file."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return f"{path}:{lines[keys]}" if keys else str(path)


def as_text(memory: bytes, given: Set[str], dialect: Dialect = Dialect.P1_NESTED, origin: str = "registers") -> str:
    """A register file of the settings named in `given`.

    Raises InputError naming the first setting that the dialect cannot express.
    """
    known, written, reset = register_map().slots, bytearray(MEMORY_BYTES), register_map().reset_memory()
    by_name = {slot.name for setting in settings_of(dialect).values() if not setting.alias for slot in setting.slots}
    rest = [slot for name in given - by_name for slot in known[name]]
    sections: dict[str, Any] = {"ECON-T": {"RW": {}}} if dialect.root else {}
    for keys, setting in settings_of(dialect).items():
        told = not dialect.root and keys[0] == dialect.marker  # tells the dialect, so it is always written
        named = any(slot.name in given for slot in setting.slots)
        if setting.alias or not (told or named or any(a.overlaps(b) for a in setting.slots for b in rest)):
            continue
        if all(slot.read(written) == (1 << slot.bits) - 1 for slot in setting.slots):
            continue  # a parameter of a register that is written whole
        for slot in setting.slots:
            slot.write(written, (1 << slot.bits) - 1)
        node = sections
        for key in (*dialect.root, *keys[:-1]):
            node = node.setdefault(key, {})
        node[keys[-1]] = setting.text(memory)
    for slot in (slot for name in sorted(given) for slot in known[name]):
        unsaid = (slot.read(memory) ^ slot.read(reset)) & ~slot.read(written)
        if unsaid:
            raise InputError(f"{origin}: {slot.name} = {slot.read(memory)} cannot be said in a register file of "
                             f"dialect {dialect}")
    return "".join(_lines(sections, 0))


def _lines(sections: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key, value in sections.items():
        if isinstance(value, str) or not value:
            yield f"{' ' * depth}{key}: {value or '{}'}\n"
        else:
            yield f"{' ' * depth}{key}:\n"
            yield from _lines(value, depth + 1)
