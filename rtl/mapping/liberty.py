"""Energies of standard cells from a Liberty file: capacitance of pins, and what a cell takes inside for each change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.errors import InputError

_TOKEN = re.compile(r"(?P<name>\w+)\s*(?:\((?P<group>[^()]*)\)\s*(?P<open>[{;]?)|"
                    r":\s*(?P<value>\"[^\"]*\"|[^;]*?)\s*;)|(?P<close>\})")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass
class _Group:
    """A group of a Liberty file: `kind (name) { ... }`."""

    kind: str
    name: str
    values: dict[str, str] = field(default_factory=dict)
    parts: list[_Group] = field(default_factory=list)

    def all(self, kind: str) -> Iterator[_Group]:
        return (part for part in self.parts if part.kind == kind)

    def numbers(self, key: str) -> npt.NDArray[np.float64]:
        return np.array(_NUMBER.findall(self.values.get(key, "")), dtype=float)

    def number(self, key: str) -> float:
        return float(self.values.get(key, 0))


@dataclass(frozen=True)
class Cell:
    """A standard cell; energies in pJ, capacitances in pF."""

    pins: dict[str, float]
    """Capacitance of each input."""
    inside: dict[str, list[_Group]]
    """Tables of internal energy by pin."""

    def energy(self, pin: str, loads_pf: npt.NDArray[np.float64], slew_ns: float) -> npt.NDArray[np.float64]:
        """Energy inside the cell for a change of a pin: mean of rise and fall, and of the inputs that may cause it."""
        tables = [table for group in self.inside.get(pin, ()) for table in group.parts]
        if not tables:
            return np.zeros(len(loads_pf))
        energies: npt.NDArray[np.float64] = np.mean([_looked_up(table, loads_pf, slew_ns) for table in tables], axis=0)
        return energies


def _looked_up(table: _Group, loads_pf: npt.NDArray[np.float64], slew_ns: float) -> npt.NDArray[np.float64]:
    """A table of slew, or of load and slew, between its entries and not outside them."""
    values, first = table.numbers("values"), table.numbers("index_1")
    second = table.numbers("index_2")
    if not len(second):
        return np.full(len(loads_pf), np.interp(slew_ns, first, values))
    at_slew = [np.interp(slew_ns, second, row) for row in values.reshape(len(first), len(second))]
    return np.interp(loads_pf, first, at_slew)


@dataclass(frozen=True)
class Library:
    """The cells of a Liberty file, and their supply."""

    volts: float
    cells: dict[str, Cell]

    @classmethod
    def read(cls, path: Path) -> Library:
        """Raises InputError for a file of other units than pF, ns and V, or without a voltage."""
        top = _parsed(path.read_text(encoding="utf-8"))
        for key, unit in (("time_unit", "1ns"), ("voltage_unit", "1V"), ("capacitive_load_unit", "1,pf")):
            found = top.values.get(key, "").strip('"')
            if found.replace(" ", "").lower() != unit.lower():
                raise InputError(f"{path}: {key} {found or 'is missing'}, expected {unit}")
        if not top.number("nom_voltage") > 0:
            raise InputError(f"{path}: nom_voltage is missing")
        cells = {}
        for cell in top.all("cell"):
            pins = {pin.name: pin for pin in cell.all("pin")}
            cells[cell.name] = Cell(
                {name: pin.number("capacitance") for name, pin in pins.items() if pin.values["direction"] == "input"},
                {name: list(pin.all("internal_power")) for name, pin in pins.items()})
        return cls(top.number("nom_voltage"), cells)


def _parsed(text: str) -> _Group:
    text = re.sub(r"/\*.*?\*/|\\\n", " ", text, flags=re.DOTALL)
    root = _Group("", "")
    open_groups = [root]
    for found in _TOKEN.finditer(text):
        here = open_groups[-1]
        if found["close"]:
            open_groups.pop()
        elif found["value"] is not None:
            here.values[found["name"]] = found["value"]
        elif found["open"] == "{":
            here.parts.append(_Group(found["name"], found["group"].strip()))
            open_groups.append(here.parts[-1])
        else:
            here.values[found["name"]] = found["group"]
    return root.parts[0]
