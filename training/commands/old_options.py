"""Options of the older training scripts and their equivalents, so that an old command line still works.

`econ-t train` accepts them in addition to its own. Options without an equivalent end the program with one line that
says what to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typer import echo

from models.command_line import Command
from models.errors import InputError


@dataclass(frozen=True)
class Old:
    """An old option.

    new: equivalent arguments, with `{}` for the value; note: message to the user; value: whether it takes a value;
    refused: whether it ends the program; names: new names of old values.
    """

    new: tuple[str, ...] = ()
    note: str = ""
    value: bool = False
    refused: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


_LOSSES = {"telescopeMSE8x8": "telescope", "telescopeMSE443": "telescope_4x4x3", "telescopeMSE663": "telescope_6x6x3",
           "weightedMSE": "weighted_mse"}


OPTIONS = {
    "-i": Old(("--data", "{}"), value=True),
    "-o": Old(("--output", "{}"), value=True),
    "--epoch": Old(("--epochs", "{}"), value=True),
    "--loss": Old(("--loss", "{}"), value=True, names=_LOSSES),
    "--nELinks": Old(("--set", "encoder.n_elinks={}"), value=True),
    "--nrowsPerFile": Old(("--nrows-per-file", "{}"), value=True),
    "--quickTrain": Old(("--nrows-per-file", "5000"), "reads 5,000 rows of each file"),
    "--double": Old(("--set", "training.augment.mix=1", "--set", "training.augment.cut=0"),
                    "training modules are sums of two; econ-t data double writes a file of such modules"),
    "--occReweight": Old(("--occupancy-weight", "1")),
    "--maskPartials": Old(("--mask-partials",)),
    "--maskEnergies": Old(("--mask-energies", "0.05")),
    "--noHeader": Old(note="headers are detected automatically"),
    "--saveEnergy": Old(note="always on: test.csv keeps the other columns of the input"),
    "--nCSV": Old(note="test.csv holds all held-out rows", value=True),
    "--skipPlot": Old(note="always on: econ-t report makes the plots"),
    "--rescaleOutputToMax": Old(note="always on: the decoder returns fractions of the module sum"),
    "--overrideInput": Old(note="not needed, but bad input is an error"),
    "--AEonly": Old(note="always on: econ-t compare runs the other algorithms", value=True),
    "--full": Old(note="use econ-t compare after the training", refused=True),
    "--evalOnly": Old(note="use econ-t evaluate", refused=True),
    "--maxVal": Old(note="not supported: decoded fractions sum to 1 and need no clipping", value=True, refused=True),
    "--rescaleInputToMax": Old(note="not supported: the input is the output of the chip's normaliser", refused=True),
}
"""Old options by name; --retrain, --quantize and --models have kept their names."""


class CommandWithOldOptions(Command):
    """Command that also accepts `OPTIONS`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Translate old options, print the notes about them, and parse as usual."""
        args, notes = translate(args)
        for note in notes:
            echo(note, err=True)
        return super().parse_args(ctx, args)


def translate(args: list[str]) -> tuple[list[str], list[str]]:
    """Replace old options by ours, and collect one note about each that needs one.

    --nELinks without --config also chooses the configuration. Raises InputError for an option without an equivalent.
    """
    result: list[str] = []
    notes: list[str] = []
    values: dict[str, str] = {}
    rest = iter(args)
    for arg in rest:
        name, _, value = arg.partition("=")
        old = OPTIONS.get(name)
        if old is None:
            result.append(arg)
            continue
        if old.value and not value:
            value = next(rest, "")
        if old.refused or (name == "--AEonly" and value == "0"):
            raise InputError(f"{name}: {old.note}")
        if old.value and not value:
            raise InputError(f"{name}: expected a value")
        values[name] = value
        result += [part.format(old.names.get(value, value)) for part in old.new]
        if old.note:
            notes.append(f"{name}: {old.note}")
    links = values.get("--nELinks", "")
    if links.isdigit() and not any(arg.split("=")[0] == "--config" for arg in result):
        result += ["--config", f"econ_t_{min(max(int(links), 1), 5)}elink"]  # more links are treated as 5
    return result, notes
