"""Does the emulator send what the chip sent? Vector sets against `EconT`, and the first difference field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from emulator.chip import EconT
from emulator.links import ERX, ETX
from emulator.mismatch import Mismatch, first_mismatch
from emulator.output_buffer import overflow_warning
from emulator.published import explanation
from models.arrays import IntArray
from models.chip import Revision
from models.dialects import Unpublished
from models.errors import InputError
from models.registers import Registers
from models.wording import counted

REGISTER_FILE, INPUT_FILE, OUTPUT_FILE = "init.yaml", "testInput.csv", "testOutput.csv"


@dataclass(frozen=True)
class SetResult:
    """One vector set: how many of its frames, bunch crossings on all 13 links, are equal in every bit.

    `explained` sets are known to be published wrong, or without an output; `bad` ones cannot be read. `reason` says why
    a set is not compared or not exact, `notes` what its files leave open or the emulator warns of.
    """

    folder: Path
    status: Literal["exact", "explained", "different", "bad"]
    registers: Registers | None = None
    n_frames: int = 0
    n_exact: int = 0
    first: Mismatch | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last two folders, data set and setup."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def algorithm(self) -> str:
        """Its short name, empty if the settings cannot be read."""
        return self.registers.algorithm.short_name if self.registers else ""

    @property
    def n_elinks(self) -> int:
        """Links in use, 0 if the settings cannot be read."""
        return self.registers.n_elinks if self.registers else 0

    @property
    def exact(self) -> bool:
        """Whether every frame is equal in every bit."""
        return self.status == "exact"

    @property
    def fine(self) -> bool:
        """Whether nothing speaks against the emulator."""
        return self.status in ("exact", "explained")


def find_sets(folders: Iterable[str | Path]) -> list[Path]:
    """Every folder at or below the given ones with settings or an output; raises InputError where there is none."""
    found = []
    for folder in folders:
        inside = {path.parent for name in (REGISTER_FILE, OUTPUT_FILE) for path in Path(folder).rglob(name)}
        if not inside:
            raise InputError(f"{folder}: no vector set, expected folders with {REGISTER_FILE} and {OUTPUT_FILE}")
        found += sorted(inside)
    return found


def verify_sets(folders: Iterable[Path], revision: Revision | None = None) -> Iterator[SetResult]:
    """Run each set, on the chip that its settings tell unless `revision` does; sets of one input read it once.

    Examples:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from emulator import EconT, verify_sets
        >>> from emulator.links import ERX, ETX
        >>> from models import Registers
        >>> settings, erx = Registers.reset(), np.zeros((4, 12), dtype=int)
        >>> settings.save("init.yaml")
        >>> _ = Path("testInput.csv").write_text(ERX.header() + ERX.rows(erx))
        >>> _ = Path("testOutput.csv").write_text(ETX.header() + ETX.rows(EconT(settings).run(erx).etx))
        >>> [(one.status, one.n_exact) for one in verify_sets([Path()])]
        [('exact', 4)]
    """
    inputs: dict[Path, IntArray] = {}
    for folder in folders:
        try:
            path = _input_of(folder)
            if path not in inputs:
                inputs = {path: ERX.read_all(path)}
            yield verify_set(folder, inputs[path], revision)
        except (InputError, OSError) as error:
            yield SetResult(folder, "bad", reason=_problem(error))


def _input_of(folder: Path) -> Path:
    """The input of a set, after a look whether the set is whole."""
    if not (folder / REGISTER_FILE).is_file():
        raise InputError(f"{folder / REGISTER_FILE} is missing")
    for place in (folder, folder.parent):
        if (place / INPUT_FILE).is_file():
            return place / INPUT_FILE
    raise InputError(f"{folder}: {INPUT_FILE} is missing here and one folder up")


def verify_set(folder: Path, erx: IntArray, revision: Revision | None = None) -> SetResult:
    """Run the input of a set, eRx words (n, 12), through its settings and compare with its `testOutput.csv`.

    Raises InputError or OSError for a set that cannot be read.
    """
    try:
        registers = Registers.load(folder / REGISTER_FILE, revision)
    except Unpublished as error:
        if (folder / OUTPUT_FILE).exists():
            raise
        return SetResult(folder, "explained", reason=str(error))
    if not (folder / OUTPUT_FILE).is_file():
        raise InputError(f"{folder / OUTPUT_FILE} is missing")
    expected, notes = ETX.read_all(folder / OUTPUT_FILE), []
    if not registers.n_elinks_given:
        registers = with_links_of(registers, expected)
        notes.append(f"{counted(registers.n_elinks, 'link')}, inferred from the output: the settings leave the number "
                     "out")
    n = min(len(erx), len(expected))
    if len(erx) != len(expected):
        notes.append(f"{n} BX compared: {len(erx)} in the input, {len(expected)} in the output")
    frames = EconT(registers).run(erx[:n])
    notes += overflow_warning(registers, int((frames.n_lost > 0).sum()), n)
    exact = (expected[:n] == frames.etx).all(axis=1)
    n_exact = int(exact.sum())
    if n_exact == n:
        return SetResult(folder, "exact", registers, n, n_exact, notes=tuple(notes))
    reason = explanation(registers, erx, expected)
    first = first_mismatch(registers, expected[:n], frames.etx)
    return SetResult(folder, "explained" if reason else "different", registers, n, n_exact, first, reason, tuple(notes))


def with_links_of(registers: Registers, etx: IntArray) -> Registers:
    """The settings with the fewest links that carry everything in an output (n, 13), unless they name their number."""
    if registers.n_elinks_given:
        return registers
    n_elinks = int(np.flatnonzero(etx.any(axis=0)).max(initial=0)) + 1
    return registers.with_values({"FMTBUF_ALL.config.eporttx_numen": n_elinks})


def _problem(error: InputError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return str(error)
