"""Production steps as parts of a farm job: one function per step, one part per file or range of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from emulator.file_encoder import FileEncoder
from models.calq_io import Order
from models.errors import InputError, parsing
from models.files import atomic_directory
from models.shipped import find_weights
from training.production import transform
from training.production.calorimeter import Sample, simulate
from training.production.farm import Outcome, Part
from training.production.geometry_file import read_module_list
from training.production.modules import ModuleTable
from training.production.ntuple import WaferFiles, is_address, open_tree, read_modules
from training.production.per_module import LinkClasses, encode_modules
from training.production.placed import with_modules
from training.production.stream import data_files, distinct_names, open_writer
from training.production.wafers import WaferBranches, find_wafer_branches, read_wafers


def generate_parts(sample: Sample, first: int, n_events: int, output: Path, *, events_per_part: int, suffix: str,
                   order: Order, cache: Path, modules: Path | None = None) -> list[Part]:
    """Parts of `events_per_part` events, aligned to multiples of that number so that overlapping ranges share parts."""
    parts = []
    start = first
    while start < first + n_events:
        stop = min((start // events_per_part + 1) * events_per_part, first + n_events)
        name = f"events_{start:09d}-{stop - 1:09d}"
        parts.append(Part(name, generate, {
            "sample": sample, "first": start, "last": stop, "order": order, "cache": cache,
            "output": output / (name + suffix), **({"modules": modules} if modules else {})},
            inputs=(modules,) if modules else (), outputs=(output / (name + suffix),), source=repr(sample),
            span=(start, stop)))
        start = stop
    return parts


def generate(sample: Sample, first: int, last: int, output: Path, *, order: Order, cache: Path,
             erx_output: Path | None = None, modules: Path | None = None) -> Outcome:
    """Simulate the events first..last-1 into one file, and also write link words to `erx_output` if given.

    `modules`: list of modules or geometry file with their links, see `training.production.placed`.
    """
    table = ModuleTable.join([simulate(sample, event, cache) for event in range(first, last)])
    with open_writer(output, may_be_empty=True) as writer:
        rows = table.to_arrow(order)
        writer.write(with_modules(rows, read_module_list(modules)) if modules else rows)
    if erx_output is not None:
        table.write_erx(erx_output)
    return Outcome({"events": last - first, "modules": len(table)}, [*_there(output), *_there(erx_output)])


def ntuple_parts(paths: Iterable[Path | str], output: Path, *, events_per_part: int, suffix: str, order: Order,
                 tree: str | None, charge: str | None, with_words: bool) -> list[Part]:
    """Parts of up to `events_per_part` events of one file or address; raises InputError for one without events."""
    parts = []
    files = list(paths)
    places = [Path(str(path).split("://")[-1]) for path in files]
    for path, file_name in zip(files, distinct_names(places), strict=True):
        content = open_tree(path, tree, charge)
        n_events = content.num_entries
        if not n_events:
            raise InputError(f"{path}: tree '{content.name}' has no events, expected at least one")
        if with_words and _wafers(path, content, charge):
            raise InputError(f"{path}: has charges of whole modules, which came over no link; omit --erx")
        for first in range(0, n_events, events_per_part):
            name = f"{file_name}_{first:07d}"
            erx = output / "erx" / name if with_words else None
            parts.append(Part(name, from_ntuple, {
                "path": path, "first": first, "last": min(first + events_per_part, n_events), "tree": tree,
                "charge": charge, "order": order, "output": output / (name + suffix), "erx_folder": erx},
                inputs=() if is_address(path) else (Path(path),),
                outputs=(output / (name + suffix), *([erx] if erx else [])),
                source=str(path) if is_address(path) else str(Path(path).absolute()),
                span=(first, min(first + events_per_part, n_events))))
    return parts


def _wafers(path: Path | str, content: Any, charge: str | None) -> WaferBranches | None:
    """Branches of whole modules of an open tree; None if it has trigger cells, or a branch of their charge is named."""
    with parsing(path, "ROOT"):
        names = content.keys()
    return None if charge else find_wafer_branches(str(path), names)


def from_ntuple(path: Path | str, first: int, last: int, output: Path, *, tree: str | None, charge: str | None,
                order: Order, erx_folder: Path | None = None) -> Outcome:
    """Convert the events first..last-1 of a ROOT file into one file; `erx_folder` gets the words of each module."""
    content = open_tree(path, tree, charge)
    branches = _wafers(path, content, charge)
    if branches is not None:
        return _from_wafers(path, content, branches, first=first, last=last, output=output, order=order)
    modules = 0
    words_folder = atomic_directory(erx_folder, guarded=True) if erx_folder else nullcontext()
    with open_writer(output, may_be_empty=True) as writer, words_folder as folder:
        wafers = WaferFiles(folder) if folder is not None else None
        for table in read_modules(path, first, last, tree=tree, charge=charge):
            writer.write(table.to_arrow(order))
            if wafers is not None:
                wafers.write(table)
            modules += len(table)
    words = sorted(erx_folder.glob("[!.]*")) if erx_folder else []
    return Outcome({"events": last - first, "modules": modules}, [*_there(output), *map(str, words)])


def _from_wafers(path: Path | str, content: Any, branches: WaferBranches, *, first: int, last: int, output: Path,
                 order: Order) -> Outcome:
    counts = {"events": last - first, "modules": 0}
    if branches.inputs:
        counts["other_inputs"] = 0  # encoder inputs of the file that the chip would not compute
    with open_writer(output, may_be_empty=True) as writer:
        for table in read_wafers(path, content, branches, first, last):
            writer.write(table.to_arrow(order))
            counts["modules"] += len(table)
            if branches.inputs:
                counts["other_inputs"] += table.n_differ
    return Outcome(counts, _there(output))


def split_parts(
    paths: Iterable[Path], output: Path, suffix: str, links: Path | None, per_bit_width: bool = False
) -> list[Part]:
    """Parts that split one file each."""
    return [Part(name, split, {"path": path, "output": output, "name": name + suffix, "links": links,
                               **({"per_bit_width": True} if per_bit_width else {})},
                 inputs=(path, *([links] if links else [])),
                 outputs=tuple(transform.split_outputs(output, name + suffix).values()), source=str(path.absolute()))
            for name, path in _named(paths)]


def split(path: Path, output: Path, name: str, links: Path | None, per_bit_width: bool = False) -> Outcome:
    """Split one file by the signal allocation, or by the modules in `links`."""
    counts = transform.split(path, output, name, read_module_list(links) if links else None, per_bit_width)
    outputs = transform.split_outputs(output, name)
    return Outcome(counts, [str(file) for n, file in outputs.items() if counts.get(f"nElinks_{n}")])


def skim_parts(paths: Iterable[Path], output: Path, suffix: str, *, whole: bool, min_sim_energy: float | None,
               min_charge: int, links: Path | None) -> list[Part]:
    """Parts that skim one file each."""
    return [Part(name, skim, {
        "path": path, "output": output / (name + suffix), "whole": whole, "min_sim_energy": min_sim_energy,
        "min_charge": min_charge, "links": links}, inputs=(path, *([links] if links else [])),
        outputs=(output / (name + suffix),), source=str(path.absolute())) for name, path in _named(paths)]


def skim(path: Path, output: Path, whole: bool, min_sim_energy: float | None, min_charge: int, links: Path | None
         ) -> Outcome:
    """Skim one file."""
    table = read_module_list(links) if links else None
    counts = transform.skim(path, output, whole, min_sim_energy, min_charge, table)
    return Outcome(counts, _there(output))


def double_parts(paths: Iterable[Path], output: Path, suffix: str, seed: int) -> list[Part]:
    """Parts that double one file each."""
    return [Part(name, double, {"path": path, "output": output / (name + suffix), "seed": seed},
                 inputs=(path,), outputs=(output / (name + suffix),), source=str(path.absolute()))
            for name, path in _named(paths)]


def double(path: Path, output: Path, seed: int) -> Outcome:
    """Double one file."""
    return Outcome(transform.double(path, output, seed), [str(output)])


def encode_parts(paths: Iterable[Path], output: Path, weights: Iterable[Path], *, order: Order,
                 modules: Path | None = None) -> list[Part]:
    """Parts that encode every module of one file each with the weights for its links, see `per_module`."""
    sets = tuple(map(find_weights, weights))
    return [Part(name, encode, {
        "path": path, "output": output / f"{name}.parquet", "weights": sets, "order": order, "modules": modules},
        inputs=(path, *sets, *([modules] if modules else [])), outputs=(output / f"{name}.parquet",),
        source=str(path.absolute())) for name, path in _named(paths)]


def encode(path: Path, output: Path, weights: Iterable[Path], order: Order, modules: Path | None) -> Outcome:
    """Encode one file."""
    classes = LinkClasses.of(map(FileEncoder.load, weights))
    links = read_module_list(modules) if modules else None
    return Outcome(encode_modules([path], output, classes, links, order, may_be_empty=True), _there(output))


def rows_written(counts: Mapping[str, int]) -> int:
    """Number of rows that a part wrote, from its counts."""
    return sum(number for name, number in counts.items()
               if name in ("modules", "kept", "rows") or name.startswith(("nElinks_", "links ")))


def _named(paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    files = data_files(paths)
    return zip(distinct_names(files), files, strict=True)


def _there(path: Path | None) -> list[str]:
    return [str(path)] if path is not None and path.exists() else []
