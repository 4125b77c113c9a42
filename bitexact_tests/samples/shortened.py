"""A `python` for PATH that adds options to commands of this project, so that what takes hours takes seconds.

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
    "training train": f"{_TRAINING} --set data.source=toy --set training.augment.source=toy",
    "training hybrid": _TRAINING,
    "training search": f"{_TRAINING} --trials 1",
    "training emd-loss": "--epochs 1 --n-pairs 400 --n-trained 8",
    "training seu": "--no-rtl --n-events 20 --n-emd 12",
    "training data generate --n-modules": "--n-modules 100",
    "training data generate --events": "--events 1",
    "rtl verilog": _SMALL,
    "rtl sim": _SMALL_RUN,
    "rtl synth": _SMALL,
    "rtl activity": _SMALL_RUN,
    "rtl constant": "--no-synthesise",
    "rtl formal": "--only 'mask of 16 bits'",
    "bitexact_tests matrix": "--config econ_t_3elink --family zero --column vitis --events 100",
    "bitexact_tests faults": "--only 1",
    "pytest bitexact_tests/bench": "--benchmark-disable -k ntuple_to_calq",
    "pytest bitexact_tests/project/test_kill.py": "KILLS=1 -k report",
    "pytest slow": "bitexact_tests/rtl/simulation/test_upsets.py",
    "pytest": "bitexact_tests/models/test_fixed_point.py",
}
"""By words of a command: options that it gets besides, and variables of its environment. The first entry counts whose
words are all in the command."""


def shortened(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments of a Python with the options that are added, and variables for its environment."""
    for words, added in ADDED.items():
        if "-m" in arguments[:1] and all(word in arguments for word in words.split()):
            more = shlex.split(added)
            variables = [word for word in more if word.split("=")[0].isupper()]
            return ([*arguments, *(word for word in more if word not in variables)],
                    dict(word.split("=", 1) for word in variables))
    return list(arguments), {}


def install(folder: Path) -> None:
    """Write such a `python` into `folder`."""
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__)}" "$@"\n', encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


if __name__ == "__main__":
    words, variables = shortened(sys.argv[1:])
    os.execve(sys.executable, [sys.executable, *words], os.environ | variables)
