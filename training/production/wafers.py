"""Ntuples of whole modules ("wafers"): charges as the software computes them, in image order, and more columns.

Two ways of naming: one branch per pixel of the 8x8 image (`wafer_CALQ0`, or `L1THGCAL_wafer_CALQ_0` in NanoAOD), and
tables of 64 values per wafer (`HGCWafersECONinputs_CALQ` beside `HGCWafers_layer`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emulator.encoder import normalise
from models.arrays import IntArray
from models.calq_csv import MAX_CALQ
from models.calq_io import Order
from models.errors import InputError, nearest, parsing
from models.fixed_point import FixedPoint
from models.trigger_cells import IMAGE_SIZE, channel_to_pixel
from training.production.allocation import signal_links
from training.production.geometry import N_LAYERS
from training.production.modules import charges_to_arrow

if TYPE_CHECKING:
    import pandas as pd

N_PIXELS = IMAGE_SIZE**2
STEP = "64 MB"
"""Size of the branches read at a time."""
_IMAGE = FixedPoint(8, 1, signed=False)
_LARGEST_UV = 26  # in all sectors of a detector of any version
_SCINTILLATOR = 10
_BLOCK = 4096  # wafers that fit the cache
_PIXELS = channel_to_pixel()
_NO_CELLS = np.setdiff1d(np.arange(N_PIXELS), _PIXELS)
_FIELDS = {"layer": "layer", "waferu": "waferU", "waferv": "waferV", "wafertype": "hwType", "zside": "zside",
           "eta": "eta", "energy": "energy", "simenergy": "simenergy"}
"""Columns of a wafer, and their names in the tables."""
_LARGEST_FLOAT = float(np.finfo(np.float32).max)
_LIMITS: dict[str, tuple[float, float]] = {
    "layer": (1, N_LAYERS), "waferu": (-_LARGEST_UV, _LARGEST_UV), "waferv": (-_LARGEST_UV, _LARGEST_UV),
    "wafertype": (0, 2), "zside": (-1, 1), "eta": (-10, 10), "energy": (0, _LARGEST_FLOAT),
    "simenergy": (0, _LARGEST_FLOAT)}
_INTEGERS = ("layer", "waferu", "waferv", "wafertype", "zside")


@dataclass(frozen=True)
class WaferBranches:
    """Names of the branches of one way of naming: of the columns, the 64 charges and the 64 encoder inputs.

    `charges` and `inputs` are one branch per pixel, or one of 64 values per wafer; `inputs` may be empty.
    """

    columns: dict[str, str]
    charges: tuple[str, ...]
    inputs: tuple[str, ...]
    subdetector: str | None
    event: str | None
    gen_pt: str | None

    def names(self) -> list[str]:
        """Names of all branches to read."""
        others = (self.subdetector, self.event, self.gen_pt)
        return [*self.columns.values(), *self.charges, *self.inputs, *(name for name in others if name)]


def find_wafer_branches(path: str, names: list[str]) -> WaferBranches | None:
    """Find the branches of wafers, whichever way they are named; None if there are none.

    Raises InputError for a branch that is missing beside others.
    """
    known = set(names)

    def there(name: str) -> str | None:
        return name if name in known else None

    for prefix, columns, pixel, gen_pt in (
        ("wafer_", {name: f"wafer_{name}" for name in _FIELDS}, "{kind}{i}", "gen_pt"),
        ("L1THGCAL_wafer_", {name: f"L1THGCAL_wafer_{name}" for name in _FIELDS}, "{kind}_{i}", "GenPart_pt"),
    ):
        if columns["layer"] not in known:
            continue
        charges, inputs = (tuple(prefix + pixel.format(kind=kind, i=i) for i in range(N_PIXELS))
                           for kind in ("CALQ", "AEin"))
        _need(path, [*columns.values(), *charges], names)
        if inputs[0] in known:
            _need(path, inputs, names)
        return WaferBranches(columns, charges, inputs if inputs[0] in known else (), there(f"{prefix}subdet"),
                             there("event"), there(gen_pt))
    if "HGCWafers_layer" not in known:
        return None
    columns = {name: f"HGCWafers_{field}" for name, field in _FIELDS.items()}
    charge, image = "HGCWafersECONinputs_CALQ", there("HGCWafersECONinputs_AEin")
    _need(path, [*columns.values(), charge], names)
    return WaferBranches(columns, (charge,), (image,) if image else (), there("HGCWafers_subdet"), there("event"),
                         there("GenPart_pt"))


def _need(path: str, wanted: Any, names: list[str]) -> None:
    known = set(names)
    for name in wanted:
        if name not in known:
            raise InputError(f"{path}: branch '{name}' is missing{nearest(name, names)}")


@dataclass(frozen=True)
class WaferTable:
    """Data of n wafers: charges (n, 48) in image order, columns, and how many have other encoder inputs than ours."""

    calq: npt.NDArray[np.uint32]
    info: pd.DataFrame
    n_differ: int

    def __len__(self) -> int:
        return len(self.calq)

    def to_arrow(self, order: Order = "tc") -> pa.Table:
        """Convert to Arrow: charges as columns in `order`, then the columns."""
        return charges_to_arrow(self.calq, self.info, order)


def read_wafers(
    path: str | Path, content: Any, branches: WaferBranches, first: int, last: int | None, step: str | int = STEP
) -> Iterator[WaferTable]:
    """Read the wafers of the events first..last-1 of an open tree; a step of events at a time.

    Raises InputError naming file, event, branch, value and what was expected.
    """
    start = first
    names = branches.names()
    with parsing(path, "ROOT"):
        parts = content.iterate(names, step_size=step, entry_start=first, entry_stop=last, library="ak")
    while True:
        with parsing(path, "ROOT"):
            part = next(parts, None)
        if part is None:
            return
        table, n_events = _assemble(str(path), part, branches, start)
        yield table
        start += n_events


def _assemble(path: str, part: Any, branches: WaferBranches, first: int) -> tuple[WaferTable, int]:
    import awkward as ak  # noqa: PLC0415  (of the extra "data")
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    layer = part[branches.columns["layer"]]
    if layer.ndim != 2:  # noqa: PLR2004  (events, wafers)
        raise InputError(f"{path}: branch {branches.columns['layer']} has type {str(layer.type)[:80]}, expected a list "
                         "of integers per event")
    counts = ak.to_numpy(ak.num(layer))
    event = np.repeat(np.arange(len(counts)), counts)

    def flat(name: str, per_wafer: int = 1) -> npt.NDArray[Any]:
        values = part[name]
        with parsing(path, f"numbers in branch {name}"):
            found = ak.to_numpy(ak.num(values)) if values.ndim == 2 else None  # noqa: PLR2004
        if found is None or not np.array_equal(found, counts * per_wafer):
            at = first if found is None else first + int(np.argmax(found != counts * per_wafer))
            many = f"{per_wafer} values per wafer" if per_wafer > 1 else "as many values as"
            raise InputError(f"{path}: event {at}, branch {name}: expected {many} of {branches.columns['layer']}")
        column = np.asarray(ak.to_numpy(ak.flatten(values)))
        if column.dtype.kind not in "iufb":
            raise InputError(f"{path}: branch {name} has type {str(values.type)[:80]}, expected numbers")
        return column

    info = {name: flat(branch) for name, branch in branches.columns.items()}
    for name in _INTEGERS:
        if info[name].dtype.kind not in "iu":
            raise InputError(f"{path}: branch {branches.columns[name]} has type {info[name].dtype}, expected integers")
    keep = np.ones(len(event), dtype=bool)
    if branches.subdetector:
        keep = flat(branches.subdetector) != _SCINTILLATOR
    for name, (low, high) in _LIMITS.items():
        good = ~keep | ((info[name] >= low) & (info[name] <= high) & ((name != "zside") | (info[name] != 0)))
        if not good.all():
            bad = int(np.argmin(good))
            expected = "-1 or 1" if name == "zside" else f"{low:g}..{high:g}"
            raise InputError(f"{path}: event {first + event[bad]}, branch {branches.columns[name]}: {info[name][bad]}, "
                             f"expected {expected}")
    charge = _pixels(flat, branches.charges)
    _check_charges(path, charge, branches.charges, event, first)
    chosen = slice(None) if keep.all() else keep
    calq = charge[_PIXELS][:, chosen]
    n_differ = _count_different(calq, _pixels(flat, branches.inputs)[:, chosen]) if branches.inputs else 0
    total = np.bincount(event, info["simenergy"], minlength=len(counts))[event]
    columns = {
        "event": _per_event(part, branches.event, counts, first + np.arange(len(counts)), np.int64)[event],
        **{name: column.astype(np.int64 if name in _INTEGERS else np.float64) for name, column in info.items()},
        "gen_pt": _per_event(part, branches.gen_pt, counts, np.zeros(len(counts)), np.float64)[event],
        "SimEnergyFraction": np.divide(info["simenergy"], total, out=np.zeros(len(event)), where=total > 0),
        "isHDM": info["wafertype"] == 0, "n_elinks": signal_links(info["layer"].astype(np.int64)),
    }
    frame = pd.DataFrame({name: column[chosen] for name, column in columns.items()})
    return WaferTable(calq.astype(np.uint32, copy=False).T, frame, n_differ), len(counts)


def _pixels(flat: Any, names: tuple[str, ...]) -> npt.NDArray[Any]:
    """Values of the 64 pixels, (64, n)."""
    if len(names) == 1:
        table: npt.NDArray[Any] = np.ascontiguousarray(flat(names[0], N_PIXELS).reshape(-1, N_PIXELS).T)
        return table
    return np.stack([flat(name) for name in names])


def _check_charges(
    path: str, charge: npt.NDArray[Any], names: tuple[str, ...], event: IntArray, first: int
) -> None:
    def fail(bad: npt.NDArray[np.bool_], expected: str) -> None:
        pixel, row = (int(one) for one in np.argwhere(bad)[0])
        name = names[pixel] if len(names) > 1 else f"{names[0]}[{pixel}]"
        raise InputError(f"{path}: event {first + event[row]}, branch {name}: {charge[pixel, row]}, "
                         f"expected {expected}")

    if charge.size and not (charge.min() >= 0 and charge.max() <= MAX_CALQ):
        fail(~((charge >= 0) & (charge <= MAX_CALQ)), f"0..{MAX_CALQ}")
    if charge[_NO_CELLS].any():
        fail((charge != 0) & np.isin(np.arange(N_PIXELS), _NO_CELLS)[:, None], "0, as there is no cell at this pixel")
    if charge.dtype.kind == "f" and np.mod(charge, 1).any():
        fail(np.mod(charge, 1) != 0, "a whole number")


def _count_different(calq: npt.NDArray[Any], inputs: npt.NDArray[Any]) -> int:
    """Number of wafers whose image, as code / 128, is not the one that the chip's normaliser makes of the charges.

    calq (48, n) in image order, inputs (64, n).
    """
    different = 0
    for begin in range(0, calq.shape[1], _BLOCK):
        part = slice(begin, begin + _BLOCK)
        _, _, image = normalise(_IMAGE, calq[:, part].astype(np.int64))
        theirs = inputs[:, part] * (1 << _IMAGE.fraction_bits)
        different += int((image.reshape(N_PIXELS, -1) != theirs).any(axis=0).sum())
    return different


def _per_event(
    part: Any, name: str | None, counts: IntArray, default: npt.NDArray[Any], dtype: Any
) -> npt.NDArray[Any]:
    """A value per event; of several, the largest. `default` where there is none."""
    import awkward as ak  # noqa: PLC0415  (of the extra "data")

    if name is None:
        return default.astype(dtype)
    values = part[name]
    if values.ndim > 1:
        largest = ak.fill_none(ak.max(values, axis=1), 0)
        return np.asarray(ak.to_numpy(largest)).astype(dtype)
    assert len(values) == len(counts)
    return np.asarray(ak.to_numpy(values)).astype(dtype)

