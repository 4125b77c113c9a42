"""Command `pareto`: area vs. EMD over bit widths."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from models.config import Config
from models.console import result_console, write_csv
from models.errors import InputError
from models.files import atomic_path
from models.options import ConfigFile, CsvFile, Settings
from training.commands.console import log_to_console, show_records
from training.commands.options import Epochs, StudyFolder, TrainingFiles
from training.fit.run import Run
from training.studies.pareto import run_scan, scan


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(f"{option} {text}, expected numbers of bits such as 3,4,5") from None


def pareto(
    config: ConfigFile,
    output: StudyFolder = None,
    weight_bits: Annotated[str, typer.Option(help="Comma-separated widths of weights and biases.")] = "3,4,5,6,7,8",
    input_bits: Annotated[str, typer.Option(help="Comma-separated widths of the encoder's input.")] = "4,5,6,7,8",
    epochs: Epochs = 20,
    data: TrainingFiles = None,
    set_: Settings = None,
    csv: CsvFile = None,
) -> None:
    """Area vs. EMD over bit widths: train and synthesise encoders of other widths, write pareto.json and pareto.png.

    An interrupted scan can be resumed. Example: econ-t pareto --config configs/econ_t_5elink.yaml
    """
    from training.figures.pareto import area_against_emd  # noqa: PLC0415  (Matplotlib, which --help does without)
    from training.figures.style import style  # noqa: PLC0415

    log_to_console()
    chosen = Config.load(config).override(data={"files": data}, training={"epochs": epochs})
    chosen = chosen.with_settings(set_ or [])
    folder = output or Run.of(chosen).pareto_folder
    widths = scan(chosen, _numbers("--weight-bits", weight_bits), _numbers("--input-bits", input_bits))
    found = run_scan(chosen, folder, widths, logging.getLogger(__name__).info)
    with style("experiment"), atomic_path(folder / "pareto.png") as picture:
        area_against_emd(found).savefig(picture, dpi=150)
    front = found.front()
    show_records(result_console(csv), f"{found.config}: smallest first, gates by {found.tool}", [
        {"w bits": one.weight_bits, "input bits": one.input_bits, "configured": one.own, "NAND2": f"{one.nand2:,}",
         "FF": f"{one.ff:,}", "EMD": one.emd_mean, "on the front": one in front}
        for one in sorted(found.points, key=lambda one: one.nand2)])
    if csv:
        write_csv(csv, [one.model_dump() for one in found.points])
