"""The command `import`: an encoder out of a file of another program in the chip's codes, and the proof that it is it.

It stands beside the emulator, not beside the reader, because it runs both.
"""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from emulator.latent_check import LatentCheck, check_latents, random_modules
from models.config import Config
from models.console import Column, result_console, say, show_table, write_csv
from models.errors import InputError, ToolMissing
from models.files import check_replaced
from models.keras_file import ImportedEncoder, import_encoder
from models.options import ConfigFile, CsvFile, Force


class Rounding(str, Enum):
    """How values go to codes."""

    nearest = "nearest"
    floor = "floor"


class DenseOrder(str, Enum):
    """How the dense kernel is laid into the registers."""

    output = "output"
    input = "input"


def import_keras(
    config: ConfigFile,
    input: Annotated[Path, typer.Option(help="Keras model (.h5, .hdf5, .keras), weights alone (.h5), SavedModel "
                                             "folder, frozen graph (.pb), pickle of arrays (.pkl).")],
    output: Annotated[Path, typer.Option(help="weights.npz to write.")],
    architecture: Annotated[Path | None, typer.Option(help="Architecture of weights alone (JSON, YAML); default: the "
                                                           "one beside them.")] = None,
    check: Annotated[bool, typer.Option(help="Run the network and the emulator on the same images.")] = True,
    approximate: Annotated[bool, typer.Option(help="Import activations that differ from the chip's, too.")] = False,
    rounding: Annotated[Rounding, typer.Option(help="floor: towards minus infinity.")] = Rounding.nearest,
    dense_order: Annotated[DenseOrder, typer.Option(help="input: as the tool of the published float encoder laid the "
                                                         "dense kernel into the registers.")] = DenseOrder.output,
    csv: CsvFile = None,
    force: Force = False,
) -> None:
    """Quantise an encoder to the chip's codes, say what was rounded or clipped, and compare its latents.

    Layers that the chip does not have are refused. Example:
    econ-t import --config econ_t_5elink --input encoder.h5 --output weights.npz
    """
    check_replaced(output, force)
    imported = import_encoder(input, Config.load(config).encoder, architecture, rounding.value, dense_order.value,
                              approximate)
    imported.weights.save(output)
    console = result_console(csv)
    for line in (*imported.notes, *(f"{row.name}: {row.source}" for row in imported.arrays if row.source != row.name)):
        console.print(line)
    show_table(console, "values of the file as codes of the chip",
               ["array", *(Column(title, right=True) for title in ("values", "rounded", "clipped", "largest change"))],
               [(row.name, f"{row.n_values:,}", f"{row.n_rounded:,}", f"{row.n_clipped:,}", f"{row.largest_change:.6g}")
                for row in imported.arrays])
    for line in imported.warnings:
        say(f"warning: {line}")
    for line in _check(imported) if check else ():
        console.print(line)
    if csv:
        write_csv(csv, [asdict(row) for row in imported.arrays])


def _check(imported: ImportedEncoder) -> list[str]:
    if imported.network is None:
        return ["not checked: the file has no architecture to run"]
    calq = random_modules()
    try:
        found = check_latents(imported.weights, imported.network, calq)
    except (InputError, ToolMissing) as error:
        return [f"not checked: {error}"]
    lines = [f"equal to the network's own, of {found.n_latents:,} latents of {len(calq):,} random modules "
             f"({found.n_positive:,} above 0):",
             f"  with exact sums    {_share(found.n_equal_exact, found)}"]
    if imported.weights.spec.arithmetic == "chip":
        lines += [f"  as the chip does   {_share(found.n_equal, found)}, because it cuts each product before it adds"]
    elif found.n_equal != found.n_equal_exact:
        lines += [f"  as configured      {_share(found.n_equal, found)}"]
    if found.n_negative:
        lines += [f"  {_share(found.n_negative, found)} of its own are negative, the chip's never"]
    return lines


def _share(n: int, found: LatentCheck) -> str:
    return f"{n:6,} ({n * 10_000 // found.n_latents / 100:.2f}%)"
