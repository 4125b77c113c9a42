"""Digest of this project's own code: what is kept of an older version is not used."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path


@cache
def source_digest(*names: str) -> str:
    """Digest of the source of modules, and of all modules of packages, by their dotted names.

    Raises ModuleNotFoundError for a name that is neither.
    """
    found = hashlib.sha256()
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{name}: no such module")
        here = Path(spec.origin)
        for path in sorted(here.parent.rglob("*.py")) if spec.submodule_search_locations else [here]:
            content = path.read_bytes()
            found.update(f"{name} {path.relative_to(here.parent)} {len(content)}\n".encode() + content)
    return found.hexdigest()[:12]
