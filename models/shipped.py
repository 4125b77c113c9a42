"""Trained sets that come with the project, and the one place that finds a set by its name.

Wherever a run or weights are asked for, the bare name of a shipped set is taken, and NAME/FILE for one of its files,
unless it is a path that exists.
"""

from __future__ import annotations

import logging
from pathlib import Path

from models.errors import InputError, nearest
from models.weights import WEIGHTS_FILE

FOLDER = Path(__file__).parent / "trained"
"""A folder for each set; only `econ-t weights` writes here."""
RECIPES = Path(__file__).parents[1] / "configs" / "weights"
"""A configuration for each set, from which `econ-t weights make` trains it; beside the packages, as all of them."""
CARD_FILE = "card.json"
"""In the folder of a set: what it was trained on, and its measured quality."""

log = logging.getLogger(__name__)


def names() -> tuple[str, ...]:
    """Names of all shipped sets."""
    return tuple(sorted(card.parent.name for card in FOLDER.glob(f"[!.]*/{CARD_FILE}")))


def find(path: str | Path) -> Path:
    """The folder of a shipped set for its bare name, a file of a set for NAME/FILE, any other path as it is.

    Says if a path hides a set.
    """
    path = Path(path)
    if len(path.parts) not in {1, 2} or path.parts[0] not in names() or not (FOLDER / path).exists():
        return path
    if Path(path.parts[0]).exists():
        log.warning("%s: taking what is in this folder, not the shipped set of the same name", path.parts[0])
        return path
    return FOLDER / path


def find_weights(path: str | Path) -> Path:
    """The file with the weights of a shipped set or of the folder of a run; any other path as it is.

    Raises InputError for a bare name that is neither.
    """
    found = find(path)
    if found.is_dir():
        return found / WEIGHTS_FILE
    if found.parent == Path() and not found.suffix and not found.exists():
        raise InputError(f"{path}: no such file and no shipped set of this name; expected a file, the folder "
                         f"of a run or one of {', '.join(names()) or 'none'}{nearest(found.name, names())}")
    return found


def is_shipped(folder: Path) -> bool:
    """Whether this is the folder of a shipped set."""
    return folder.resolve().parent == FOLDER.resolve()


def check_not_shipped(folder: Path) -> None:
    """Raise InputError if a command would write into a shipped set."""
    if is_shipped(folder):
        raise InputError(f"{folder}: a shipped set, which only 'econ-t weights' changes; choose another --output")
