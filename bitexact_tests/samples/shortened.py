"""A `python` and an `econ-t` for PATH that add options to commands, so that what takes hours takes seconds.

The documentation is tested with it: its pages run as they stand, and only the numbers that their commands get are
smaller. Of an option that is given twice, the last one counts. Nothing but the standard library is imported: this
starts with every command.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_TRAINING = ("--epochs 1 --set data.n_modules=400 --set training.passes=1 --set training.augment.pool=400 "
             "--set training.decoder.width=16 --set training.decoder.layers=1 --set training.decoder.members=1")
_SMALL = "--config small.yaml"
_SMALL_RUN = f"{_SMALL} --weights small.npz --input many.csv"

ADDED: Mapping[str, str] = {
    "train": f"{_TRAINING} --set data.source=toy --set training.augment.source=toy",
    "hybrid": _TRAINING,
    "search": f"{_TRAINING} --trials 1",
    "emd-loss": "--epochs 1 --n-pairs 400 --n-trained 8",
    "seu": "--no-rtl --n-events 20 --n-emd 12",
    "data generate --n-modules": "--n-modules 100",
    "data generate --events": "--events 1",
    "trigger run": "--events 2 --pile-up 0",
    "rtl verilog": _SMALL,
    "rtl sim": _SMALL_RUN,
    "rtl synth": _SMALL,
    "rtl activity": _SMALL_RUN,
    "rtl constant": "--no-synthesise",
    "rtl decoder --reloadable": "--force",  # it has no stages
    "rtl decoder": "--no-synthesise --stages 1",
    "distill": "--epochs 1 --set data.n_modules=400 --set training.augment.pool=400",
    "rtl formal": "--only 'mask of 16 bits'",
    "matrix": "--config econ_t_3elink --family zero --column vitis --events 100",
    "faults": "--only 1",
    "pytest bitexact_tests/bench": "--benchmark-disable -k ntuple_to_calq",
    "pytest bitexact_tests/project/test_kill.py": "KILLS=1 -k report",
    "pytest slow": "bitexact_tests/rtl/simulation/test_upsets.py",
    "pytest": "bitexact_tests/models/test_fixed_point.py",
}
"""By words of a command: options that it gets besides, and variables of its environment. The first entry counts that
begins as the command and whose words are all in it."""

_PACKAGES = ("training", "bitexact_tests")
"""Their commands stand in `econ-t` without the name of the package."""


def shortened(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What `python` or `econ-t` gets with the options that are added, and variables for its environment."""
    command = list(arguments[1:]) if arguments[:1] in (["-m"], ["econ-t"]) else []
    command = command[1:] if command[:1] and command[0] in _PACKAGES else command
    for words, added in ADDED.items():
        if command[:1] == words.split()[:1] and set(words.split()) <= set(command):
            more = shlex.split(added)
            variables = [word for word in more if word.split("=")[0].isupper()]
            return ([*arguments, *(word for word in more if word not in variables)],
                    dict(word.split("=", 1) for word in variables))
    return list(arguments), {}


def install(folder: Path) -> None:
    """Write both programs into `folder`."""
    for name, first in (("python", ""), ("econ-t", "econ-t")):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__)}" {first} "$@"\n', encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


if __name__ == "__main__":
    words, variables = shortened(sys.argv[1:])
    if words[:1] == ["econ-t"]:
        words[:1] = ["-c", "from models.command_line import main; main()"]
    os.execve(sys.executable, [sys.executable, *words], os.environ | variables)
