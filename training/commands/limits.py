"""Command `limits`: what limits the EMD."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from models.config import Config
from models.console import result_console, write_csv
from models.files import atomic_path
from models.options import ConfigFile, CsvFile, Settings
from models.wording import counted
from training.commands.console import log_to_console, show_records
from training.commands.options import Epochs, StudyFolder, TrainingFiles
from training.fit.run import Run
from training.studies.limits import run_limits


def limits(
    config: ConfigFile,
    output: StudyFolder = None,
    epochs: Epochs = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Number of trainings at each value, with seeds from 1.")] = 1,
    data: TrainingFiles = None,
    set_: Settings = None,
    csv: CsvFile = None,
) -> None:
    """What limits the EMD: trainings with other bits, latents, refinements or modules; limits.json and limits.png.

    All have equally many steps; stages of the configuration are left out. An interrupted study can be resumed.
    Example: econ-t limits --config configs/econ_t_5elink.yaml --epochs 10
    """
    from training.figures.limits import emd_against_limits  # noqa: PLC0415  (Matplotlib, which --help does without)
    from training.figures.style import style  # noqa: PLC0415

    log_to_console()
    unstaged = Config.load(config).evolve(training={"stages": ()})
    chosen = unstaged.override(data={"files": data}, training={"epochs": epochs}).with_settings(set_ or [])
    folder = output or Run.of(chosen).folder / "limits"
    found = run_limits(chosen, folder, range(1, seeds + 1), logging.getLogger(__name__).info)
    with style("experiment"), atomic_path(folder / "limits.png") as picture:
        emd_against_limits(found).savefig(picture, dpi=150)
    title = f"{found.config}: mean EMD of {found.test}, {counted(found.steps, 'step')} each"
    show_records(result_console(csv), title, [
        {"varied": one.curve, "value": one.value, "configured": one.own, "seed": one.seed, "EMD": one.emd_mean,
         "error": one.emd_error} for one in sorted(found.points, key=lambda one: (one.curve, one.value, one.seed))])
    if csv:
        write_csv(csv, [one.model_dump() for one in found.points])
