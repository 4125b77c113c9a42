"""Arrays in a pickle, read as data: its instructions are followed by hand, and none of them can name code.

Dictionaries, lists, texts, numbers and NumPy arrays of numbers are known; anything else is refused. This is what files
of quantised weights hold: arrays by layer, in nested dictionaries and lists.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from models.arrays import FloatArray
from models.errors import InputError

_MAX_BYTES = 1 << 26
_MAX_ITEMS = 100_000
_KINDS = "fiu"
_MARK = object()
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_VALUES = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
           "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
           "BINBYTES8", "BYTEARRAY8")
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass
class _Name:
    """A function or class that a pickle names; it is never looked up."""

    module: str
    name: str


@dataclass
class _Array:
    """An array whose content follows."""

    found: FloatArray = field(default_factory=lambda: np.zeros(0))


def read_pickle(path: Path) -> dict[str, FloatArray]:
    """All arrays of numbers by the names that lead to them; raises InputError for a pickle of anything else."""
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path}: over {_MAX_BYTES} bytes, expected the weights of an encoder")
    try:
        content = _Machine().run(path.read_bytes())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except KeyError as error:
        raise InputError(f"{path}: not readable as a pickle of arrays: it takes value {error} again, which it did not "
                         "store") from None
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}: not readable as a pickle of arrays: {' '.join(str(error).split())[:200]}") from None
    found = dict(_arrays(content))
    if not found:
        raise InputError(f"{path}: no array of numbers, expected those of an encoder by layer")
    return found


def _arrays(content: Any) -> Iterator[tuple[str, FloatArray]]:
    waiting, seen = [("", content)], 0
    while waiting:
        name, one = waiting.pop()
        seen += 1
        if seen > _MAX_ITEMS:
            raise InputError(f"over {_MAX_ITEMS} values, expected the weights of an encoder")
        if isinstance(one, _Array):
            if one.found.dtype.kind in _KINDS:
                yield name or "array", np.asarray(one.found, np.float64)
        elif isinstance(one, dict):
            waiting += [(f"{name}/{key}".lstrip("/"), value) for key, value in one.items()][::-1]
        elif isinstance(one, list | tuple):
            waiting += [(f"{name}/{number}".lstrip("/"), value) for number, value in enumerate(one)][::-1]


class _Machine:
    """The stack on which a pickle builds its content."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        """The content of a pickle."""
        steps: dict[str, Callable[[Any], None]] = {
            "MEMOIZE": lambda _: self.memo.__setitem__(len(self.memo), self.stack[-1]),
            "STACK_GLOBAL": lambda _: self._name(self.stack.pop(-2), self.stack.pop()),
            "GLOBAL": lambda text: self._name(*str(text).split(" ", 1)),
            "MARK": lambda _: self.stack.append(_MARK), "EMPTY_DICT": lambda _: self.stack.append({}),
            "EMPTY_LIST": lambda _: self.stack.append([]), "EMPTY_TUPLE": lambda _: self.stack.append(()),
            "TUPLE": lambda _: self.stack.append(tuple(self._marked())),
            "LIST": lambda _: self.stack.append(self._marked()),
            "DICT": lambda _: self.stack.append(_pairs(self._marked())),
            "APPEND": lambda _: self._extend([self.stack.pop()]), "APPENDS": lambda _: self._extend(self._marked()),
            "SETITEM": lambda _: self._update([self.stack.pop(-2), self.stack.pop()]),
            "SETITEMS": lambda _: self._update(self._marked()),
            "REDUCE": lambda _: self._reduce(), "BUILD": lambda _: self._build(),
            "POP": lambda _: self.stack.__delitem__(-1), "POP_MARK": lambda _: self._drop(),
        }
        for opcode, given, _ in pickletools.genops(data):
            name, argument = opcode.name, cast(Any, given)
            if name == "STOP":
                return self.stack.pop()
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                self.stack[-_TUPLES[name] :] = [tuple(self.stack[-_TUPLES[name] :])]
            elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
                self.memo[argument] = self.stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name in steps:
                steps[name](argument)
            elif name not in ("PROTO", "FRAME"):
                raise InputError(f"instruction {name}, expected dictionaries, lists and NumPy arrays alone")
        raise ValueError("it ends too early")

    def _marked(self) -> list[Any]:
        """What stands above the last mark."""
        place = max((k for k, one in enumerate(self.stack) if one is _MARK), default=None)
        if place is None:
            raise ValueError("values without a mark before them")
        found, self.stack[place:] = self.stack[place + 1 :], []
        return found

    def _drop(self) -> None:
        self._marked()

    def _extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("values for what is not a list")
        self.stack[-1] += values

    def _update(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise TypeError("items for what is not a dictionary")
        self.stack[-1].update(_pairs(values))

    def _name(self, module: str, name: str) -> None:
        self.stack.append(_Name(module, name))

    def _reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, _Name):
            raise TypeError("a call of what is not a name")
        of_numpy = called.module in _MODULES
        if of_numpy and called.name == "_reconstruct":
            found: Any = _Array()
        elif of_numpy and called.name == "dtype":
            found = _number_type(arguments[0])
        elif of_numpy and called.name == "_frombuffer":
            values, kind, shape, order = arguments
            found = _Array(_filled(values, kind, shape, order))
        elif of_numpy and called.name == "scalar":
            found = np.frombuffer(arguments[1], arguments[0])[0].item()
        elif (called.module, called.name) == ("collections", "OrderedDict"):
            found = dict(*arguments)
        elif (called.module, called.name) == ("_codecs", "encode") and arguments[1:] == ("latin1",):
            found = str(arguments[0]).encode("latin1")  # bytes in the older protocols
        elif called.name == "bytes" and called.module in ("builtins", "__builtin__") and arguments == ():
            found = b""
        else:
            raise InputError(f"names {called.module}.{called.name}, expected NumPy arrays alone")
        self.stack.append(found)

    def _build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, _Array):
            _, shape, kind, fortran, values = state
            built.found = _filled(values, kind, shape, "F" if fortran else "C")
        elif isinstance(built, np.dtype):
            self.stack[-1] = built.newbyteorder(state[1])
            for key, one in self.memo.items():
                if one is built:
                    self.memo[key] = self.stack[-1]
        else:
            raise InputError("sets the state of an object, expected NumPy arrays alone")


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _filled(values: bytes, kind: np.dtype[Any], shape: tuple[int, ...], order: Any) -> FloatArray:
    flat = np.frombuffer(values, kind) if len(values) else np.zeros(0, kind)
    found: FloatArray = flat.reshape(shape, order=order)
    return found


def _number_type(code: Any) -> np.dtype[Any]:
    if not isinstance(code, str) or code[:1] not in (*_KINDS, "b") or not code[1:].isdigit():
        raise InputError(f"an array of type {str(code)[:40]!r}, expected numbers")
    return np.dtype(code)
