"""The command `encode`: charges to latents, of one encoder or of every module's own.

It stands here, not beside the emulator, because it knows which links a module has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.file_encoder import FileEncoder
from emulator.trace import STAGES
from models.calq_io import column_order, read_calq, write_latent_pieces, write_latents
from models.calq_stream import calq_pieces
from models.errors import InputError
from models.npz import write_npz
from models.options import CalqFile, LatentFile, Order, TraceFile, WeightsConfig
from training.commands.console import show_records
from training.commands.data.options import Farm, Force, Workers
from training.production.geometry_file import read_module_list
from training.production.per_module import LinkClasses, encode_modules
from training.production.stream import data_files, keep_inputs


def encode(
    weights: Annotated[list[Path], typer.Option(help="weights.npz, a register file of the chip (YAML), or the name of "
                                                     "a shipped set; with --per-module one per number of links.")],
    input: CalqFile,
    output: LatentFile,
    config: WeightsConfig = None,
    trace: TraceFile = None,
    order: Order = None,
    per_module: Annotated[bool, typer.Option("--per-module", help="Each module with the weights for its links; also "
                                                                  "writes event, place and conditions (Parquet, CSV, "
                                                                  ".npz).")] = False,
    modules: Annotated[Path | None, typer.Option(help="With --per-module: list of modules with their links (CSV: "
                                                      "Layer, ModU, ModV, ECONT_eTX) or geometry_hgcal.txt; default: "
                                                      "links by layer.")] = None,
    workers: Workers = 1,
    farm: Farm = None,
    force: Force = False,
) -> None:
    """Encode module charges to latents: the codes that are sent, as `chip decode` reads them.

    These are the top bits of each output that fit on the links; with a register file, those that its mask keeps.
    With --per-module and a folder as --output, each file becomes one of its own, on several processes if wanted.

    Examples: econ-t encode --weights runs/econ_t_5elink/weights.npz --input calq.csv --output latent.csv

    econ-t encode --per-module --weights econ_t_2elink --weights econ_t_5elink --modules geometry_hgcal.txt
    --input wafers --output latents.parquet

    econ-t encode --per-module --weights econ_t_2elink --weights econ_t_5elink --input wafers --output out --workers 2
    """
    folder = per_module and not Path(output).suffix and output != "-"
    if not folder:
        for option, given in (("--workers", workers > 1), ("--farm", farm), ("--force", force)):
            if given:
                raise InputError(f"{option} needs --per-module and a folder as --output")
    if per_module:
        for option, other in (("--config", config), ("--trace", trace)):
            if other:
                raise InputError(f"{option} and --per-module exclude each other: every set has its own configuration")
        if "-" in (input, output):
            raise InputError("--per-module reads and writes files, not -")
        classes = LinkClasses.of(map(FileEncoder.load, weights))
        columns = column_order(order, classes.encoders[0].config.data.order)
        if folder:
            from training.commands.data.parts import run_parts  # noqa: PLC0415  (steps of the production, slow to import)
            from training.production.steps import encode_parts  # noqa: PLC0415

            parts = encode_parts([Path(input)], Path(output), weights, order=columns, modules=modules)
            counts = run_parts(parts, Path(output), workers, farm, force)
        else:
            files = data_files([input])
            keep_inputs([*files, *([modules] if modules else [])], [Path(output)])
            counts = encode_modules(files, Path(output), classes, read_module_list(modules) if modules else None,
                                    columns)
        _show(output, classes, counts)
        return
    if modules:
        raise InputError("--modules needs --per-module")
    if len(weights) > 1:
        raise InputError(f"{len(weights)} sets of weights, expected one; --per-module takes several")
    encoder = FileEncoder.load(weights[0], config)
    columns = column_order(order, encoder.config.data.order)
    if trace is None:
        write_latent_pieces(output, (encoder.encode(calq)[0] for calq in calq_pieces(input, columns)))
        return
    latent, stages = encoder.encode(read_calq(input, columns).calq, STAGES)
    write_npz(trace, digest=encoder.config.encoder.digest(), **stages)
    write_latents(output, latent)


def _show(output: str, classes: LinkClasses, counts: dict[str, int]) -> None:
    total = sum(counts.values())
    rows = sorted((name for name in counts if name.startswith("links")), key=lambda name: int(name.split()[1]))
    show_records(f"{output}: {total - counts['left_out'] - counts.get('not_found', 0):,} of {total:,} modules", [
        {"modules with": name, "modules": counts[name], "part": f"{counts[name] / total:.1%}",
         "weights": _weights_of(classes, name)} for name in [*rows, *(name for name in counts if name not in rows)]])


def _weights_of(classes: LinkClasses, name: str) -> str:
    if not name.startswith("links"):
        return "-"
    (index,) = classes.index([int(name.split()[1])])  # type: ignore[arg-type]  # a list is an array of NumPy
    return str(classes.encoders[index].path)
