"""Words of the input links, and a file of them line by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emulator.links import ERX
from models.chip import ORBIT

WORDS = np.random.default_rng(3).integers(0, 1 << 32, (20, 12), dtype=np.uint32)
RANDOM_ORBIT = np.random.default_rng(1).integers(0, 1 << 32, (ORBIT, 12), dtype=np.uint32)
LINES = (ERX.header() + ERX.rows(WORDS)).splitlines()


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    """Write lines to a file."""
    path.write_text("\n".join(lines) + end)
    return path
