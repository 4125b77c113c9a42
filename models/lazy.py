"""Public names of a package that are imported when they are first used (PEP 562), so that its import costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def public_face(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of `package`; `names` lists its public names by the module they are in.

    The imports for type checkers stand beside it, under `if TYPE_CHECKING`. A public name must not be that of a
    submodule: importing the submodule would replace it.
    """
    module_of = {name: module for module, found in names.items() for name in found}

    def load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        value = getattr(importlib.import_module(module_of[name]), name)
        setattr(sys.modules[package], name, value)  # the next use finds it without a detour
        return value

    return load, lambda: sorted(module_of), sorted(module_of)
