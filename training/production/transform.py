"""Transformations of module rows between production and training: split by links, skim, shuffle, double."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from models.arrays import IntArray
from models.calq_csv import CALQ_COLUMNS, MAX_CALQ
from models.chip import LATENT_BITS, MAX_ELINKS
from models.errors import InputError, nearest
from models.trigger_cells import N_TRIGGER_CELLS
from training.production.allocation import signal_links
from training.production.geometry import LARGEST_UV, module_index, modules
from training.production.geometry_file import GeometryFile, ModuleList, plane_eta
from training.production.modules import ALIASES
from training.production.stream import ROWS, keep_inputs, open_writer, read_tables, without_words

PLACE = ("layer", "waferu", "waferv")
"""Columns that locate a module."""


def _standard_names(table: pa.Table) -> pa.Table:
    names = table.column_names
    return table.rename_columns([name if ALIASES.get(name, name) in names else ALIASES[name] for name in names])


def columns_of(table: pa.Table, names: Iterable[str], source: str) -> list[IntArray]:
    """Columns of a table, whichever of their names they have; raises InputError, naming `source`, if one is missing."""
    table = _standard_names(table)
    for name in names:
        if name not in table.column_names:
            raise InputError(f"{source}: column {name} is missing{nearest(name, table.column_names)}")
    return [table[name].to_numpy() for name in names]


def _charges(table: pa.Table) -> npt.NDArray[np.uint32]:
    return np.stack([table[name].to_numpy() for name in CALQ_COLUMNS], axis=1)


def split_outputs(output: Path, name: str) -> dict[int, Path]:
    """Files that `split` may write or delete, by number of links."""
    return {n: output / f"nElinks_{n}" / name for n in range(1, MAX_ELINKS + 1)}


def split(
    path: Path, output: Path, name: str, links: ModuleList | None, per_bit_width: bool = False
) -> dict[str, int]:
    """Split the rows of a file into `output/nElinks_N/name`, N from 1 to 13: by layer, or by module with `links`.

    `per_bit_width`: modules of as many bits per latent are one class, the one of the fewest links with these bits.
    Sets the column n_elinks, and with a geometry file also `wafertype`, `eta` (if there is none) and `cells`, whose bit
    i says whether trigger cell i exists. Returns the number of rows by N; `left_out` counts modules without links and
    `not_found` those that are not listed. Raises InputError if a column that locates the modules is missing.
    """
    counts: dict[str, int] = {"left_out": 0} | ({"not_found": 0} if links is not None else {})
    outputs = split_outputs(output, name)
    with ExitStack() as stack:
        writers: dict[int, Any] = {}
        for table in read_tables([path]):
            layer, u, v = columns_of(table, PLACE, str(path))
            number = signal_links(layer) if links is None else links.links_of(layer, u, v)
            numbered = set_column(table, "n_elinks", number)
            if isinstance(links, GeometryFile):
                numbered = with_geometry(numbered, links, (layer, u, v))
            kind = np.minimum(number, max(LATENT_BITS)) if per_bit_width else number
            for n, file in outputs.items():
                rows = np.flatnonzero(kind == n)
                if not len(rows):
                    continue
                if n not in writers:
                    writers[n] = stack.enter_context(open_writer(file))
                writers[n].write(numbered.take(rows))
                counts[f"nElinks_{n}"] = counts.get(f"nElinks_{n}", 0) + len(rows)
            absent = 0 if links is None else int(np.count_nonzero(~links.is_listed(layer, u, v)))
            counts["left_out"] += int(np.count_nonzero(number < 1)) - absent
            if links is not None:
                counts["not_found"] += absent
    for n in set(outputs) - set(writers):
        outputs[n].unlink(missing_ok=True)  # left by an earlier, different allocation
    return counts


def with_geometry(table: pa.Table, links: GeometryFile, place: tuple[IntArray, IntArray, IntArray]) -> pa.Table:
    """Add what the geometry file knows of the modules."""
    row = links.row_of(*place)
    bits = links.cells_of(*place) @ (1 << np.arange(N_TRIGGER_CELLS, dtype=np.int64))
    table = set_column(table, "wafertype", np.where(row >= 0, links.wafer_type[row], -1))
    table = set_column(table, "cells", bits)
    if "eta" not in table.column_names:
        side = table["zside"].to_numpy() if "zside" in table.column_names else 1
        table = table.append_column("eta", pa.array(plane_eta(*place) * side))
    return table


def set_column(table: pa.Table, name: str, values: IntArray) -> pa.Table:
    """Set or append a column of integers."""
    column = pa.array(values.astype(np.int64))
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)


def skim(path: Path, output: Path, whole: bool, min_sim_energy: float | None, min_charge: int,
         links: ModuleList | None) -> dict[str, int]:
    """Keep the rows that pass all cuts, and return the number of rows read, removed by each cut, and kept.

    The cuts are: the edge of the silicon does not cut the module (if `whole`; by the list `links`, else by the
    geometry), SimEnergyFraction above `min_sim_energy`, and a module sum of at least `min_charge`.
    """
    counts = {"read": 0, "partial": 0, "sim_energy": 0, "charge": 0, "kept": 0}
    with open_writer(output, may_be_empty=True) as writer:
        for table in read_tables([path]):
            keep = np.ones(len(table), dtype=bool)
            counts["read"] += len(table)

            def cut(name: str, passes: npt.NDArray[np.bool_], keep: npt.NDArray[np.bool_] = keep) -> None:
                counts[name] += int(np.count_nonzero(keep & ~passes))
                keep &= passes

            if whole:
                place = columns_of(table, PLACE, str(path))
                cut("partial", links.is_whole(*place) if links else is_whole(*place))
            if min_sim_energy is not None:
                if "SimEnergyFraction" not in _standard_names(table).column_names:
                    raise InputError(f"{path}: column SimEnergyFraction is missing; --min-sim-energy -1 needs none")
                (fraction,) = columns_of(table, ["SimEnergyFraction"], str(path))
                cut("sim_energy", fraction > min_sim_energy)
            cut("charge", _charges(table).sum(axis=1, dtype=np.int64) >= min_charge)
            counts["kept"] += int(keep.sum())
            if keep.any():
                writer.write(table.filter(pa.array(keep)))
    return counts


def is_whole(layer: IntArray, u: IntArray, v: IntArray) -> npt.NDArray[np.bool_]:
    """Whether there is a module at each place that the edge of the silicon does not cut."""
    index = module_index()
    near = (layer >= 0) & (layer < len(index)) & (np.abs(u) <= LARGEST_UV) & (np.abs(v) <= LARGEST_UV)
    row = index[np.where(near, layer, 0), np.where(near, u, 0) + LARGEST_UV, np.where(near, v, 0) + LARGEST_UV]
    whole: npt.NDArray[np.bool_] = near & (row >= 0) & ~modules().partial[row]
    return whole


def shuffle(paths: list[Path], output: Path, seed: int, rows_in_memory: int = ROWS) -> dict[str, int]:
    """Write all rows of all files in random order, every order being equally likely.

    Rows are dealt at random to piles on disk that fit into memory, and each pile is shuffled. Equal arguments give
    equal files.
    """
    keep_inputs(paths, [output])
    rng = np.random.default_rng(seed)
    total = sum(len(table) for table in read_tables(paths))
    # Pile sizes fluctuate by the square root of their mean: with 20% headroom, hardly any pile is too large.
    n_piles = max(1, -(-total * 12 // (rows_in_memory * 10)))
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.stem}-", dir=output.parent))
    try:
        piles: list[pa_parquet.ParquetWriter | None] = [None] * n_piles
        for table in read_tables(paths, min(rows_in_memory, ROWS)):
            pile = rng.integers(n_piles, size=len(table))
            for n in range(n_piles):
                rows = np.flatnonzero(pile == n)
                writer = piles[n] or pa_parquet.ParquetWriter(folder / f"{n}.parquet", table.schema)
                writer.write_table(table.take(rows))
                piles[n] = writer
        for writer in piles:
            if writer is not None:
                writer.close()
        with open_writer(output) as result:
            for n in range(n_piles):
                table = pa_parquet.read_table(folder / f"{n}.parquet")
                result.write(table.take(rng.permutation(len(table))))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"rows": total}


def double(path: Path, output: Path, seed: int) -> dict[str, int]:
    """Write every row of a file and, after each piece of it, as many overlays: a row plus the charges of another one.

    The other columns of an overlay are those of its first row. Sums saturate at 22 bits.
    """
    rng = np.random.default_rng(seed)
    rows = 0
    with open_writer(output) as writer:
        for table in map(without_words, read_tables([path])):  # the sum of two charges has no code on a link
            charges = _charges(table).astype(np.int64)
            # Rotate a random order by a random number of places: no row is its own partner unless it is alone.
            order = rng.permutation(len(table))
            partner = np.empty_like(order)
            partner[order] = np.roll(order, 1 + int(rng.integers(max(len(order) - 1, 1))))
            both = np.minimum(charges + charges[partner], MAX_CALQ).astype(np.uint32)
            overlay = table
            for i, name in enumerate(CALQ_COLUMNS):
                overlay = overlay.set_column(overlay.column_names.index(name), name, pa.array(both[:, i]))
            writer.write(table)
            writer.write(overlay)
            rows += 2 * len(table)
    return {"rows": rows}

