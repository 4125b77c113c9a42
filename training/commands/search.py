"""Command `search`: find other encoders of the chip's size."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from models.console import write_csv
from models.options import ConfigFile, CsvFile, Settings
from training.commands.console import log_to_console, show_records
from training.commands.options import Epochs, StudyFolder, TrainingFiles
from training.commands.study import configured_study
from training.fit.run import Run
from training.studies.search import search as run_search


def search(config: ConfigFile, output: StudyFolder = None,
           trials: Annotated[int, typer.Option(min=1, help="Number of encoders to try.")] = 20,
           epochs: Epochs = 20, data: TrainingFiles = None, set_: Settings = None, csv: CsvFile = None) -> None:
    """Search for an encoder of the same size with a lower EMD.

    Writes search.json; an interrupted search can be resumed.
    Example: econ-t search --config configs/econ_t_3elink.yaml --trials 30
    """
    log_to_console()
    chosen = configured_study(config, epochs, data, set_)
    results = run_search(chosen, output or Run.of(chosen).search_folder, trials,
                         logging.getLogger(__name__).info)
    show_records(f"{chosen.name}: encoders of the same size, best first", [
        {"kernel": row.kernel, "stride": row.stride, "filters": row.filters, "w bits": row.weight_bits,
         "latents": row.latents, "bits": row.latent_bits, "macs": row.macs, "val EMD": row.val_emd,
         "EMD": row.emd_mean} for row in results])
    if csv:
        write_csv(csv, [row.model_dump() for row in results])
