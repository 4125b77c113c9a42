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
from models.console import result_console, write_csv
from models.errors import InputError
from models.npz import write_npz
from models.options import CalqFile, CsvFile, JsonFile, LatentFile, Order, TraceFile, WeightsConfig
from models.result import ResultList
from training.commands.console import show_records
from training.commands.data.options import Farm, Force, Workers
from training.production.geometry_file import read_module_list
from training.production.per_module import LinkClasses, encode_modules
from training.production.stream import data_files, keep_inputs
from training.results.modules import EncodedModules


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
    json_: JsonFile = None,
    csv: CsvFile = None,
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
    _refuse("needs --per-module and a folder as --output", not folder,
            {"--workers": workers > 1, "--farm": farm, "--force": force})
    _refuse("and --per-module exclude each other: every set has its own configuration", per_module,
            {"--config": config, "--trace": trace})
    _refuse("needs --per-module", not per_module, {"--modules": modules, "--json": json_, "--csv": csv})
    if per_module:
        if "-" in (input, output):
            raise InputError("--per-module reads and writes files, not -")
        classes = LinkClasses.of(map(FileEncoder.load, weights))
        columns = column_order(order, classes.encoders[0].config.data.order)
        if folder:
            from training.commands.data.parts import run_parts  # noqa: PLC0415  (steps of the production, slow to import)
            from training.production.steps import encode_parts  # noqa: PLC0415

            parts = encode_parts([Path(input)], Path(output), weights, order=columns, modules=modules)
            counts = run_parts(parts, Path(output), workers, farm, force, json_, csv)
        else:
            files = data_files([input])
            keep_inputs([*files, *([modules] if modules else [])], [Path(output)])
            counts = encode_modules(files, Path(output), classes, read_module_list(modules) if modules else None,
                                    columns)
        _tell(output, _rows(classes, counts), json_, csv)
        return
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


def _refuse(why: str, refused: bool, options: dict[str, object]) -> None:
    """Raise InputError for the first option that is given, if these are refused."""
    given = next((option for option, value in options.items() if value), None)
    if refused and given:
        raise InputError(f"{given} {why}")


def _rows(classes: LinkClasses, counts: dict[str, int]) -> tuple[EncodedModules, ...]:
    """Modules by links, ascending, then those that were not encoded."""
    names = sorted((name for name in counts if name.startswith("links")), key=lambda name: int(name.split()[1]))
    return tuple(EncodedModules(modules_with=name, modules=counts[name], weights=_weights_of(classes, name))
                 for name in [*names, *(name for name in counts if name not in names)])


def _weights_of(classes: LinkClasses, name: str) -> str | None:
    if not name.startswith("links"):
        return None
    (index,) = classes.index([int(name.split()[1])])  # type: ignore[arg-type]  # a list is an array of NumPy
    return str(classes.encoders[index].path)


def _tell(output: str, rows: tuple[EncodedModules, ...], json: str | None, csv: str | None) -> None:
    """Show the table, and write it where it is asked for."""
    total = sum(one.modules for one in rows)
    encoded = sum(one.modules for one in rows if one.weights)
    show_records(result_console(json, csv), f"{output}: {encoded:,} of {total:,} modules", [
        {"modules with": one.modules_with.replace("_", " "), "modules": one.modules,
         "part": f"{one.modules / total:.1%}", "weights": one.weights} for one in rows])
    if json:
        ResultList[EncodedModules](rows).save(json)
    if csv:
        write_csv(csv, [one.model_dump() for one in rows])
