"""Conversion of trigger-primitive ntuples (ROOT) to module charges, through link words and the chip's front end.

The branches are those of the trigger cells in the ntuples of the L1 trigger simulation: one entry per event, in which
each branch is a vector over all trigger cells.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from emulator.links import ERX
from models.arrays import FloatArray, IntArray
from models.chip import ENCODER_MUX
from models.errors import InputError, nearest, not_installed, parsing
from models.registers import Registers
from models.trigger_cells import N_TRIGGER_CELLS, image_order
from training.production.allocation import signal_links
from training.production.geometry import LARGEST_UV, N_LAYERS, cell_from_uv, module_index, modules
from training.production.modules import LARGEST_CHARGE, ModuleTable, calibration, chip_charges, encode, pack
from training.production.wafers import find_wafer_branches

TREE = "hgcalTriggerNtuplizer/HGCalTriggerNtuple"
_TREES = ("TTree", "ROOT::RNTuple")
_MAGIC = b"root"  # at the start of every ROOT file
STEP = "48 MB"
"""Size of the branches read at a time; converting them to modules needs about ten times as much memory."""
PLACE = ("tc_zside", "tc_layer", "tc_waferu", "tc_waferv")
CHARGES = ("tc_uncompressedCharge", "tc_data", "tc_compressedCharge")
"""Charge branches in order of preference: linear charges, except the last, which holds 7-bit codes."""
_INTEGERS = {*PLACE, "tc_cell", "tc_cellu", "tc_cellv", "tc_wafertype", "tc_subdet", "tc_compressedCharge", "event"}
_MOST_EVENTS = 100_000_000
_SCINTILLATOR = 10
_WIDTH = 2 * LARGEST_UV + 1
_LARGEST_FLOAT = float(np.finfo(np.float32).max)  # sums of such energies are finite in double precision

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Branches:
    """Branches of a tree to read; see `find_branches`."""

    cell: tuple[str, ...]
    charge: str
    eta: bool
    wafer_type: bool
    subdetector: bool
    event: bool

    def names(self) -> list[str]:
        """Names of all branches to read."""
        optional = (("tc_eta", self.eta), ("tc_wafertype", self.wafer_type), ("tc_subdet", self.subdetector),
                    ("event", self.event))
        return [*PLACE, *self.cell, self.charge, "tc_simenergy", *(name for name, there in optional if there)]


def find_branches(path: str, names: list[str], charge: str | None = None) -> Branches:
    """Choose the branches to read; raises InputError for a missing one, with the nearest name."""

    def need(name: str) -> str:
        if name not in names:
            raise InputError(f"{path}: branch '{name}' is missing{nearest(name, names)}")
        return name

    for name in (*PLACE, "tc_simenergy"):
        need(name)
    if "tc_cell" in names and "tc_cellu" not in names:
        cell: tuple[str, ...] = ("tc_cell",)
    else:
        cell = (need("tc_cellu"), need("tc_cellv"))
    chosen = need(charge) if charge else next((name for name in CHARGES if name in names), None)
    return Branches(cell, chosen or need(CHARGES[0]), "tc_eta" in names, "tc_wafertype" in names, "tc_subdet" in names,
                    "event" in names)


def open_tree(path: str | Path, tree: str | None = None, charge: str | None = None) -> Any:
    """Open a tree or an RNTuple of a ROOT file, called `name` or `name;cycle`.

    By default that is TREE, or else the only one with all branches. Raises InputError naming the nearest tree,
    ToolMissing without uproot.
    """
    try:
        import uproot  # noqa: PLC0415  (of the extra "data")
    except ImportError as error:
        raise not_installed(error, "ntuples need", "data") from None
    if not is_address(path) and not Path(path).is_file():
        raise InputError(f"{path}: {'is a folder, expected a ROOT file' if Path(path).is_dir() else 'no such file'}")
    if not is_address(path):
        with Path(path).open("rb") as start:
            if start.read(len(_MAGIC)) != _MAGIC:
                raise InputError(f"{path}: not a ROOT file")
    with parsing(path, "ROOT"):
        file = uproot.open(path)
        kinds = file.classnames()
    found = {key.split(";")[0] for key, kind in kinds.items() if kind in _TREES}
    chosen = tree or TREE
    if tree is None and TREE not in found:
        fitting = [name for name in sorted(found) if _fits(path, file, name, charge)]
        if len(fitting) > 1:
            raise InputError(f"{path}: several trees have the branches ({', '.join(fitting)}); choose one with --tree")
        chosen = fitting[0] if fitting else TREE
    if chosen not in found and kinds.get(chosen) not in _TREES:
        others = [f"{key.split(';')[0]} ({kind})" for key, kind in kinds.items() if kind not in (*_TREES, "TDirectory")]
        listed = ", ".join([*sorted(found), *others]) or "none"
        raise InputError(f"{path}: no tree '{chosen}' (trees: {listed}){nearest(chosen, found)}")
    with parsing(path, "ROOT"):
        content = file[chosen]
        n_events = content.num_entries
    if not 0 <= n_events <= _MOST_EVENTS:
        raise InputError(f"{path}: tree '{chosen}' claims {n_events} events, expected 0..{_MOST_EVENTS}")
    if tree is None and chosen != TREE:
        log.info("%s: reading '%s', the only tree with the branches", path, chosen)
    return content


def is_address(path: str | Path) -> bool:
    """Whether this is the address of a file elsewhere, such as root://host//path, which fsspec opens."""
    return "://" in str(path)


def _fits(path: str | Path, file: Any, name: str, charge: str | None) -> bool:
    """Whether a tree has all branches that are needed."""
    with parsing(path, "ROOT"):
        names = file[name].keys()
    try:
        if charge is None and find_wafer_branches(str(path), names):
            return True
        find_branches(str(path), names, charge)
    except InputError:
        return False
    return True


def read_modules(
    path: str | Path, first: int = 0, last: int | None = None, *, tree: str | None = None, charge: str | None = None,
    step: str | int = STEP, events_per_table: int = 256,
) -> Iterator[ModuleTable]:
    """Read the modules of the events first..last-1 of a file, at most `events_per_table` events at a time.

    `step` is how much is read at a time, as uproot takes it: a size in memory or a number of events.
    Raises InputError naming file, event, branch, value and what was expected.
    """
    content = open_tree(path, tree, charge)
    with parsing(path, "ROOT"):
        names = content.keys()
    branches = find_branches(str(path), names, charge)
    import awkward as ak  # noqa: PLC0415  (of the extra "data")

    start = first
    per_event = {"event"} & set(branches.names())
    for part in _parts(path, content, branches, first, last, step):
        for name in branches.names():
            _check_type(path, name, part[name], 1 if name in per_event else 2)
        counts = ak.to_numpy(ak.num(part.tc_layer))
        for name in branches.names():
            if name not in per_event and not np.array_equal(ak.to_numpy(ak.num(part[name])), counts):
                event = start + int(np.argmax(ak.to_numpy(ak.num(part[name])) != counts))
                raise InputError(f"{path}: event {event}, branch {name}: expected as many values as in tc_layer")
        # A step of many small events must not make a large table of modules.
        for begin in range(0, len(counts), events_per_table):
            some = part[begin : begin + events_per_table]
            columns = {name: np.asarray(ak.to_numpy(some[name] if name in per_event else ak.flatten(some[name])))
                       for name in branches.names()}
            yield assemble(columns, counts[begin : begin + events_per_table], branches, str(path), start + begin)
        start += len(counts)


def _parts(
    path: str | Path, content: Any, branches: Branches, first: int, last: int | None, step: str | int
) -> Iterator[Any]:
    """Iterate over the branches, a step of events at a time, as records of awkward arrays."""
    with parsing(path, "ROOT"):
        yield from content.iterate(branches.names(), step_size=step, entry_start=first, entry_stop=last, library="ak")


def _check_type(path: str | Path, name: str, values: Any, n_dimensions: int) -> None:
    import awkward as ak  # noqa: PLC0415  (of the extra "data")

    wanted = "iu" if name in _INTEGERS else "iuf"
    if values.ndim != n_dimensions or ak.to_numpy(ak.flatten(values, axis=None)).dtype.kind not in wanted:
        raise InputError(f"{path}: branch {name} has type {str(values.type)[:80]}, expected "
                         f"{'integers' if wanted == 'iu' else 'numbers'}, {'a list' if n_dimensions > 1 else 'one'} "
                         "per event")


def assemble(columns: dict[str, npt.NDArray[Any]], counts: IntArray, branches: Branches, path: str, first: int = 0
             ) -> ModuleTable:
    """Assemble modules from flat branches of `len(counts)` events.

    They are sorted by event, endcap (negative z first), layer, u and v. A cell that is not in the ntuple has no charge.
    Raises InputError naming file, event, branch and value.
    """
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    event = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    if branches.subdetector and (columns["tc_subdet"] == _SCINTILLATOR).any():
        silicon = np.flatnonzero(columns["tc_subdet"] != _SCINTILLATOR)
        columns = {name: column if name == "event" else column[silicon] for name, column in columns.items()}
        event = event[silicon]
    _check(columns, branches, event, path, first)
    cell = columns["tc_cell"] if len(branches.cell) == 1 else cell_from_uv(columns["tc_cellu"], columns["tc_cellv"])
    if len(branches.cell) > 1 and len(cell) and cell.min() < 0:
        bad = int(np.argmax(cell < 0))
        given = f"{columns['tc_cellu'][bad]}, {columns['tc_cellv'][bad]}"
        raise InputError(f"{path}: event {first + event[bad]}, branches tc_cellu, tc_cellv: {given}, "
                         f"expected one of the {N_TRIGGER_CELLS} trigger cells")
    slot, module = _group(columns, event, len(counts))
    place = module * np.int32(N_TRIGGER_CELLS) + cell.astype(np.int32)
    n = len(slot)
    _check_repeated(place, n, event, path, first)
    number, side, layer, u, v = _unpack_slot(slot)

    def spread(values: npt.NDArray[Any], dtype: Any, fill: float = 0) -> npt.NDArray[Any]:
        full = np.full(n * N_TRIGGER_CELLS, fill, dtype=dtype)
        full[place] = values
        return full.reshape(n, N_TRIGGER_CELLS)

    known = module_index()[layer, u + LARGEST_UV, v + LARGEST_UV]
    high_density = np.where(known >= 0, modules().high_density[known], False)
    if branches.wafer_type:
        high_density = np.zeros(n, dtype=bool)
        high_density[module] = columns["tc_wafertype"] == 0
    if branches.charge == "tc_compressedCharge":
        codes = spread(columns[branches.charge], np.uint8)
    else:
        codes = encode(spread(np.minimum(columns[branches.charge], LARGEST_CHARGE), np.uint32), high_density)
    registers = _known_calibration()[known]  # unknown modules, -1, get the last row: all 0
    if branches.eta:
        registers = _calibration_from(columns["tc_eta"], slot, module, cell, registers)
    words = pack(codes)
    energy = np.bincount(module, columns["tc_simenergy"], minlength=n)
    total = np.bincount(event, columns["tc_simenergy"], minlength=len(counts))[number]
    info = pd.DataFrame({
        "entry": columns["event"].astype(np.int64)[number] if branches.event else first + number.astype(np.int64),
        "layer": layer, "waferu": u, "waferv": v, "zside": side,
        "SimEnergyFraction": np.divide(energy, total, out=np.zeros(n), where=total > 0),
        "isHDM": high_density, "n_elinks": signal_links(layer),
    })
    return ModuleTable(words, chip_charges(words, registers, high_density), registers.astype(np.uint16), info)


def _check(columns: dict[str, npt.NDArray[Any]], branches: Branches, event: IntArray, path: str, first: int) -> None:
    largest = 127 if branches.charge == "tc_compressedCharge" else (1 << 32) - 1
    limits: dict[str, tuple[float, float]] = {
        "tc_layer": (1, N_LAYERS), "tc_waferu": (-LARGEST_UV, LARGEST_UV), "tc_waferv": (-LARGEST_UV, LARGEST_UV),
        branches.charge: (0, largest), "tc_simenergy": (0, _LARGEST_FLOAT)}
    if len(branches.cell) == 1:
        limits["tc_cell"] = (0, N_TRIGGER_CELLS - 1)
    if branches.eta:
        limits["tc_eta"] = (-_LARGEST_FLOAT, _LARGEST_FLOAT)

    def refuse(name: str, good: npt.NDArray[np.bool_], expected: str) -> None:
        bad = int(np.argmin(good))
        raise InputError(f"{path}: event {first + event[bad]}, branch {name}: {columns[name][bad]}, "
                         f"expected {expected}")

    for name, (low, high) in limits.items():
        column = columns[name]
        if len(column) and not (column.min() >= low and column.max() <= high):  # both are NaN if there is one
            finite = f"a finite number{' of at least 0' if low == 0 else ''}"
            refuse(name, (column >= low) & (column <= high), finite if high == _LARGEST_FLOAT else f"{low}..{high}")
    ends = np.abs(columns["tc_zside"]) == 1
    if not ends.all():
        refuse("tc_zside", ends, "-1 or 1")


def _group(columns: dict[str, npt.NDArray[Any]], event: IntArray, n_events: int) -> tuple[IntArray, IntArray]:
    """Slots of the modules present, ascending, and for every cell the number of its module."""
    side = columns["tc_zside"] > 0
    slot = event * np.int32(2) + side
    for name, offset, width in (("tc_layer", 0, N_LAYERS + 1), ("tc_waferu", LARGEST_UV, _WIDTH),
                                ("tc_waferv", LARGEST_UV, _WIDTH)):
        slot = slot * np.int32(width) + (columns[name].astype(np.int32) + np.int32(offset))
    # Few events with dense slots: a table is faster than sorting.
    there = np.zeros(n_events * 2 * (N_LAYERS + 1) * _WIDTH * _WIDTH, dtype=bool)
    there[slot] = True
    number = np.cumsum(there, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(there), number[slot]


def _unpack_slot(slot: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    rest, v = np.divmod(slot, _WIDTH)
    rest, u = np.divmod(rest, _WIDTH)
    rest, layer = np.divmod(rest, N_LAYERS + 1)
    event, side = np.divmod(rest, 2)
    return event, 2 * side - 1, layer, u - LARGEST_UV, v - LARGEST_UV


def _check_repeated(place: IntArray, n_modules: int, event: IntArray, path: str, first: int) -> None:
    seen = np.zeros(n_modules * N_TRIGGER_CELLS, dtype=bool)
    seen[place] = True
    if np.count_nonzero(seen) != len(place):
        order = np.argsort(place, kind="stable")
        again = order[1:][place[order][1:] == place[order][:-1]][0]
        raise InputError(f"{path}: event {first + event[again]}: trigger cell {place[again] % N_TRIGGER_CELLS} of a "
                         "module is given twice")


@cache
def _known_calibration() -> IntArray:
    """Registers of the modules of the built-in geometry in TC order, followed by a row of 0 for all others."""
    return np.concatenate([calibration(modules().eta), np.zeros((1, N_TRIGGER_CELLS), dtype=np.int64)])


def _calibration_from(
    eta: FloatArray, slot: IntArray, module: IntArray, cell: IntArray, registers: IntArray
) -> IntArray:
    """Registers (n, 48), recomputed for the cells that have an eta in any of the events."""
    _, first, wafer = np.unique(slot % (2 * (N_LAYERS + 1) * _WIDTH * _WIDTH), return_index=True, return_inverse=True)
    flat = np.full(len(first) * N_TRIGGER_CELLS, np.nan, dtype=eta.dtype)
    flat[wafer.astype(np.int32)[module] * np.int32(N_TRIGGER_CELLS) + cell.astype(np.int32)] = eta
    of_wafer = flat.reshape(-1, N_TRIGGER_CELLS)
    given = ~np.isnan(of_wafer)
    table = registers[first]
    table[given] = calibration(of_wafer[given].astype(np.float64))
    return table[wafer]


class WaferFiles:
    """Files of each module: its link words as a CSV for `econ-t chip`, one row per event, and its register file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun: set[str] = set()

    def write(self, table: ModuleTable) -> None:
        """Append the rows of a table; a module's registers are those of its first row."""
        groups = table.info.groupby(["zside", "layer", "waferu", "waferv"]).indices
        for place, rows in groups.items():
            side, layer, u, v = cast("tuple[int, int, int, int]", place)
            name = f"wafer_Z{side}_L{layer}_U{u}_V{v}"
            if name not in self._begun:
                self._begun.add(name)
                _register_file(table, rows[0]).save(self._folder / f"{name}.yaml")
                (self._folder / f"{name}.csv").write_text(ERX.header(), encoding="ascii")
            with (self._folder / f"{name}.csv").open("a", encoding="ascii") as file:
                file.write(ERX.rows(table.erx[rows]))


def _register_file(table: ModuleTable, row: int) -> Registers:
    return Registers.reset().with_values({
        "MFC_ALGORITHM_SEL_DENSITY.algo.density": int(table.info.isHDM.iloc[row]),
        "MFC_MUX_SELECT.mux_select_*": list(ENCODER_MUX),
        "MFC_CAL_VAL.cal_*": table.registers[row, image_order()].tolist(),
    })
