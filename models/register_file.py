"""Register files: YAML as the test vectors have it, `ECON-T: {RW: {block: {registers: ...}}}`, to memory and back.

What a file leaves out keeps its value after reset; other top-level keys (i2c, daq, global) are not about the chip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from models.errors import InputError, nearest
from models.register_map import Register, Slot, register_map

_Keys = tuple[str, ...]


def read(path: Path) -> tuple[bytearray, set[str]]:
    """Register memory after the settings of a file, and the names of what it set.

    Raises InputError naming file, line, register, value and what was expected.
    """
    from models.yaml_file import read_yaml

    content, lines = read_yaml(path)
    memory = register_map().reset_memory()
    given = set()
    for keys, slots, value in _assignments(path, lines, content):
        try:
            given |= assign(memory, slots, value)
        except InputError as error:
            raise InputError(f"{_place(path, lines, keys)}: {error}") from None
    return memory, given


def assign(memory: bytearray, slots: tuple[Slot, ...], value: object) -> set[str]:
    """Write one value (to all slots alike) or one per slot; returns the names written."""
    values = value if isinstance(value, list) else [value] * len(slots)
    if len(values) != len(slots):
        raise InputError(f"{slots[0].name}: {len(values)} values, expected one"
                         + (f" or {len(slots)}" if len(slots) > 1 else ""))
    for slot, number in zip(slots, values, strict=True):
        if not isinstance(number, int):
            raise InputError(f"{slot.name} = {number!r}, expected an integer")
        if not 0 <= number < 1 << slot.bits:
            raise InputError(f"{slot.name} = {number}, expected 0..{(1 << slot.bits) - 1}")
        slot.write(memory, int(number))
    return {slot.name for slot in slots}


def _assignments(
    path: Path, lines: Mapping[Any, int], content: object
) -> Iterator[tuple[_Keys, tuple[Slot, ...], Any]]:
    """What a register file sets: (keys, slots, value)."""
    known = register_map()

    def section(node: object, keys: _Keys) -> Mapping[str, Any]:
        for depth, key in enumerate(keys):
            if not isinstance(node, dict) or key not in node:
                raise InputError(f"{_place(path, lines, keys[:depth])}: key '{_dotted(keys[: depth + 1])}' is missing")
            node = node[key]
        if not isinstance(node, dict):
            raise InputError(f"{_place(path, lines, keys)}: {_dotted(keys)} is {node!r}, expected keys below it")
        return node

    def slots(name: str, keys: _Keys) -> tuple[Slot, ...]:
        if name not in known.slots:
            prefix, last = name.rsplit(".", 1)
            hint = nearest(last, known.names_in(prefix))
            raise InputError(f"{_place(path, lines, keys)}: unknown register {name}{hint}")
        return known.slots[name]

    root: _Keys = ("ECON-T", "RW")
    for block in section(content, root):
        if block not in known.blocks:
            hint = nearest(str(block), known.blocks)
            raise InputError(f"{_place(path, lines, (*root, block))}: unknown block {block}{hint}")
        inside = (*root, block, "registers")
        for register in section(content, inside):
            keys, name = (*inside, register), f"{block}.{register}"
            entry = section(content, keys)
            found = slots(name, keys)
            if "value" in entry:
                yield (*keys, "value"), found, entry["value"]
            # Published files write parameters under `params`, or directly under the register.
            inner = (*keys, "params") if "params" in entry else keys
            if "params" in entry and (odd := set(entry) - {"value", "params"}):
                raise InputError(f"{_place(path, lines, (*keys, odd.pop()))}: {name}: expected the keys value, params")
            for param, setting in section(content, inner).items():
                if param != "value":
                    here = (*inner, param)
                    found = slots(f"{name}.{param}", here)
                    if not isinstance(setting, dict) or list(setting) != ["param_value"]:
                        raise InputError(f"{_place(path, lines, here)}: {name}.{param} is {setting!r}, "
                                         "expected the key 'param_value'")
                    yield (*here, "param_value"), found, setting["param_value"]


def _dotted(keys: _Keys) -> str:
    return ".".join(map(str, keys))  # YAML reads numbers and dates as such


def _place(path: Path, lines: Mapping[Any, int], keys: _Keys) -> str:
    """`file:line` of the innermost of `keys` that stands in the file."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return f"{path}:{lines[keys]}" if keys else str(path)


def as_text(memory: bytes, given: Set[str]) -> str:
    """A register file of the registers and parameters named in `given`."""
    lines = ["ECON-T:", " RW:" if given else " RW: {}"]
    block = ""
    for register in register_map().registers:
        values = list(_given_values(register, memory, given))
        if values and register.block != block:
            block = register.block
            lines += [f"  {block}:", "   registers:"]
        lines += values
    return "\n".join(lines) + "\n"


def _given_values(register: Register, memory: bytes, given: Set[str]) -> Iterator[str]:
    """The lines of one register: none, its value(s), or the parameters that were given."""
    params = {name: slots for name, slots in register.params.items() if any(slot.name in given for slot in slots)}
    if any(slot.name in given for slot in register.slots):
        yield f"    {register.name}:"
        yield f"     value: {_as_number(register.slots, memory)}"
    elif params:
        yield f"    {register.name}:"
        yield "     params:"
        for name, slots in params.items():
            yield f"      {name}:"
            yield f"       param_value: {_as_number(slots, memory)}"


def _as_number(slots: tuple[Slot, ...], memory: bytes) -> str:
    values = [slot.read(memory) for slot in slots]
    return "[" + ", ".join(map(str, values)) + "]" if len(values) > 1 else hex(values[0])
