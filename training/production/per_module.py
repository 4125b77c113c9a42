"""Latents of whole events: every module with the weights of its link class, piece by piece.

Which weights a module gets follows from its number of links, as `linkToGraphMap` of the experiment's software has it:
those that were made for this many, or for the next smaller number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emulator.file_encoder import FileEncoder
from models.arrays import IntArray
from models.calq_csv import CALQ_COLUMNS
from models.calq_io import SUFFIXES, Order
from models.chip import MAX_ELINKS
from models.errors import InputError
from models.npz import write_npz
from models.trigger_cells import image_order
from models.wording import counted
from training.production.allocation import signal_links
from training.production.condition_columns import condition_columns
from training.production.geometry_file import GeometryFile, ModuleList
from training.production.modules import ALIASES
from training.production.stream import open_writer, read_tables
from training.production.transform import PLACE, columns_of, with_geometry

CLASS = "link_class"
"""Column of the links that the weights of a module were made for; `n_elinks` has the links that the module has."""
ROWS = 100_000
"""Modules held in memory at a time."""
_ALSO = ("event", *PLACE, "zside", "eta", "wafertype", "energy", "simenergy", "gen_pt", "SimEnergyFraction")
"""Columns that are handed on where a file has them, or where the place of a module tells them."""
_READ = {*_ALSO, *ALIASES, "isHDM"}
_LATENT = pa.uint16()


@dataclass(frozen=True)
class LinkClasses:
    """Encoders by the number of links that they were made for, ascending."""

    encoders: tuple[FileEncoder, ...]

    @classmethod
    def of(cls, encoders: Iterable[FileEncoder]) -> LinkClasses:
        """Order encoders; raises InputError if two are for one number of links, or differ in the number of latents."""
        ordered = sorted(encoders, key=lambda one: one.weights.spec.n_elinks)
        for one, other in pairwise(ordered):
            if one.weights.spec.n_elinks == other.weights.spec.n_elinks:
                raise InputError(f"{other.path}: for {counted(other.weights.spec.n_elinks, 'link')}, as {one.path}; "
                                 "expected one set of weights per number of links")
            if one.weights.spec.dense.outputs != other.weights.spec.dense.outputs:
                raise InputError(f"{other.path}: {other.weights.spec.dense.outputs} latents, expected "
                                 f"{one.weights.spec.dense.outputs} as {one.path}")
        return cls(tuple(ordered))

    @property
    def links(self) -> IntArray:
        """The links that each encoder was made for."""
        return np.array([one.weights.spec.n_elinks for one in self.encoders])

    def index(self, n_elinks: IntArray) -> IntArray:
        """Which encoder each module gets; -1: it has fewer links than any was made for."""
        found: IntArray = np.searchsorted(self.links, n_elinks, side="right") - 1
        return found


def encode_modules(
    paths: Sequence[Path], output: Path, classes: LinkClasses, links: ModuleList | None, order: Order = "tc", *,
    may_be_empty: bool = False,
) -> dict[str, int]:
    """Encode every module of files, and write latents, conditions, event, place and link class of each.

    `links`: the links of modules; None: by layer. `output`: Parquet or CSV, written piece by piece, or .npz, whose
    columns are held in memory. Returns the number of modules by links (`links 5`), those that are `not_found` in the
    list, and those that are `left_out` as they have fewer links than any encoder was made for. Raises InputError if a
    file is bad, or if no module is left unless the output `may_be_empty`: then there is no file.
    """
    counts = {"left_out": 0} | ({"not_found": 0} if links is not None else {})
    with _writer(output, may_be_empty) as writer:
        for table in read_tables(paths, ROWS):
            layer, u, v = columns_of(table, PLACE, ", ".join(map(str, paths)))
            number = signal_links(layer) if links is None else links.links_of(layer, u, v)
            absent = 0 if links is None else int(np.count_nonzero(~links.is_listed(layer, u, v)))
            chosen = classes.index(number)
            counts["left_out"] += int((chosen < 0).sum()) - absent
            if links is not None:
                counts["not_found"] += absent
            kept = np.flatnonzero(chosen >= 0)
            for n in range(1, MAX_ELINKS + 1):
                here = int(np.count_nonzero(number[kept] == n))
                if here:
                    counts[f"links {n}"] = counts.get(f"links {n}", 0) + here
            if not len(kept):
                continue
            if isinstance(links, GeometryFile):
                table = with_geometry(table, links, (layer, u, v))  # noqa: PLW2901  (the same with more columns)
            if len(kept) < len(table):
                table, number, chosen = table.take(kept), number[kept], chosen[kept]  # noqa: PLW2901
            writer.write(_encoded(table, classes, number, chosen, order))
    return counts


def _encoded(table: pa.Table, classes: LinkClasses, number: IntArray, chosen: IntArray, order: Order) -> pa.Table:
    """Columns of modules that all have an encoder."""
    places = image_order() if order == "tc" else np.arange(len(CALQ_COLUMNS))
    calq = np.stack([table[CALQ_COLUMNS[place]].to_numpy() for place in places], axis=1)
    module_sum = np.empty(len(table), np.int64)
    latent = np.empty((classes.encoders[0].weights.spec.dense.outputs, len(table)), np.uint16)
    for index in np.unique(chosen):
        rows = np.flatnonzero(chosen == index)
        codes, stages = classes.encoders[index].encode(calq[rows], ["module_sum"])
        latent[:, rows] = codes.T
        module_sum[rows] = stages["module_sum"]
    others = table.select([name for name in table.column_names if name in _READ]).to_pandas()
    others = others.rename(columns={old: new for old, new in ALIASES.items() if new not in others})
    found: dict[str, npt.NDArray[Any]] = {name: others[name].to_numpy() for name in _ALSO if name in others}
    found |= {name: column for name, column in condition_columns(others).items() if name in _ALSO and name not in found}
    columns = {name: pa.array(found[name]) for name in _ALSO if name in found}
    columns |= {"sum": pa.array(module_sum), "n_elinks": pa.array(number, pa.int64()),
                CLASS: pa.array(classes.links[chosen], pa.int64())}
    return pa.table(columns | {f"latent_{i}": pa.array(column, _LATENT) for i, column in enumerate(latent)})


class _Writes(Protocol):
    def write(self, table: pa.Table) -> None: ...


@contextmanager
def _writer(output: Path, may_be_empty: bool) -> Iterator[_Writes]:
    if output.suffix != ".npz":
        if not str(output).endswith(SUFFIXES):
            raise InputError(f"{output}: expected a name that ends in {', '.join(SUFFIXES)} or .npz")
        with open_writer(output, may_be_empty) as writer:
            yield writer
        return
    pieces = _Pieces()
    yield pieces
    if not pieces.tables:
        raise InputError(f"{output}: not written, as no rows are left")
    whole = pa.concat_tables(pieces.tables)
    names = [name for name in whole.column_names if not name.startswith("latent_")]
    latents = [name for name in whole.column_names if name.startswith("latent_")]
    write_npz(output, **{name: whole[name].to_numpy() for name in names},
              latent=np.stack([whole[name].to_numpy() for name in latents], axis=1))


class _Pieces:
    def __init__(self) -> None:
        self.tables: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        self.tables.append(table)
