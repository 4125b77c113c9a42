"""Options of the older training scripts: what each is called here, so that an old command line still works.

`econ-t train` takes them beside its own. Those that have no meaning here end the program with one line that
says what to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typer import echo
from typer.core import TyperCommand

from models.errors import InputError


@dataclass(frozen=True)
class Old:
    """`new`: the arguments that stand for it, with `{}` for its value; `note`: what is said; `refused`: not done;
    `names`: values that have another name here."""

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
    "--quickTrain": Old(("--nrows-per-file", "5000"), "5,000 rows of each file"),
    "--double": Old(("--set", "training.augment.mix=1", "--set", "training.augment.cut=0"),
                    "training modules are sums of two; econ-t data double writes a file of such"),
    "--occReweight": Old(("--occupancy-weight", "1")),
    "--maskPartials": Old(("--mask-partials",)),
    "--maskEnergies": Old(("--mask-energies", "0.05")),
    "--noHeader": Old(note="found by itself"),
    "--saveEnergy": Old(note="always: test.csv keeps the other columns of the input"),
    "--nCSV": Old(note="test.csv holds all held-out rows", value=True),
    "--skipPlot": Old(note="always: econ-t report makes the plots"),
    "--rescaleOutputToMax": Old(note="always: the decoder gives fractions of the module sum"),
    "--overrideInput": Old(note="not needed, but bad input is an error"),
    "--AEonly": Old(note="always: econ-t compare runs the other algorithms", value=True),
    "--full": Old(note="use econ-t compare once the run is there", refused=True),
    "--evalOnly": Old(note="use econ-t evaluate", refused=True),
    "--maxVal": Old(note="not there: decoded fractions sum to 1, nothing is to be clipped", value=True, refused=True),
    "--rescaleInputToMax": Old(note="not there: the input is what the chip's normaliser makes", refused=True),
}
"""By their old names; --retrain, --quantize and --models are ours too."""


class CommandWithOldOptions(TyperCommand):
    """A command that also takes `OPTIONS`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args, notes = translate(args)
        for note in notes:
            echo(note, err=True)
        return super().parse_args(ctx, args)


def translate(args: list[str]) -> tuple[list[str], list[str]]:
    """Arguments with old options replaced by ours, and one line about each that needs nothing.

    --nELinks without --config chooses the configuration too. Raises InputError for an option without meaning here.
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
        result += ["--config", f"econ_t_{min(max(int(links), 2), 5)}elink"]  # more links: as with 5
    return result, notes
