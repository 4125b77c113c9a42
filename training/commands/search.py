"""Command `search`: find other encoders of the chip's size, or better options of a training."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from models.console import result_console, write_csv
from models.errors import InputError
from models.options import ConfigFile, CsvFile, Settings
from training.commands.console import log_to_console, show_records
from training.commands.data.options import Farm, Workers
from training.commands.options import Epochs, StudyFolder, TrainingFiles
from training.commands.study import configured_study
from training.fit.run import Run
from training.production.farm import FarmConfig
from training.results.training_search import TrainingSearch
from training.studies.search import search as run_search


def search(config: ConfigFile, output: StudyFolder = None,
           trainings: Annotated[bool, typer.Option("--trainings", help="Search for options of the training instead of "
                                                                       "an encoder.")] = False,
           trials: Annotated[int, typer.Option(min=1, help="Number of encoders, or trainings, to try.")] = 20,
           seeds: Annotated[int, typer.Option(min=1, help="With --trainings: number of seeds of the best.")] = 3,
           epochs: Epochs = 20, data: TrainingFiles = None, set_: Settings = None, workers: Workers = 1,
           farm: Farm = None, csv: CsvFile = None) -> None:
    """Search for an encoder of the same size, or for options of the training, with a lower EMD.

    Writes search.json, or with --trainings trainings.json, trainings.png and best.yaml, the configuration of the best
    training; an interrupted search can be resumed. --workers and --farm train several at once, with --trainings.

    Examples: econ-t search --config configs/econ_t_3elink.yaml --trials 30

    econ-t search --trainings --config econ_t_5elink --data calq.csv --trials 60 --epochs 40 --output runs/options
    """
    log_to_console()
    chosen = configured_study(config, epochs, data, set_)
    folder = output or Run.of(chosen).search_folder
    if not trainings and (workers > 1 or farm):
        raise InputError("--workers and --farm need --trainings")
    told = logging.getLogger(__name__).info
    if trainings:
        from training.studies.training_search import search_trainings  # noqa: PLC0415  (starts TensorFlow)

        where = FarmConfig.load(farm) if farm is not None else FarmConfig(n_workers=workers)
        _show(search_trainings(chosen, folder, trials, seeds, told, where), csv)
        return
    results = run_search(chosen, folder, trials, told)
    show_records(result_console(csv), f"{chosen.name}: encoders of the same size, best first", [
        {"kernel": row.kernel, "stride": row.stride, "filters": row.filters, "w bits": row.weight_bits,
         "latents": row.latents, "bits": row.latent_bits, "macs": row.macs, "val EMD": row.val_emd,
         "EMD": row.emd_mean} for row in results])
    if csv:
        write_csv(csv, [row.model_dump() for row in results])


def _show(found: TrainingSearch, csv: str | None) -> None:
    """Show all trainings, the seeds of the best, and its metric of the held-out modules."""
    rows = [{"trial": one.number, "optimizer": one.options["optimizer"], "rate": f"{one.options['learning_rate']:.2g}",
             "decay": f"{one.options.get('weight_decay', 0):.2g}", "batch": one.options["batch_size"],
             "schedule": one.options["schedule"], "loss": one.options["loss"],
             "decoder": f"{one.options['decoder.layers']} x {one.options['decoder.width']}",
             "epochs": len(one.val_emd), "val EMD": one.best, "stopped": one.pruned} for one in found.ranked]
    console = result_console(csv)
    show_records(console, "trainings, best first by validation", rows, optional=("decay", "loss", "decoder"))
    told = ", ".join(f"{seed}: {value:.3f}" for seed, value in found.seeds.items())
    console.print(f"validation EMD of the best options by seed: {told}; chosen: {found.chosen_seed}")
    mean = "-" if found.test.emd_mean is None else f"{found.test.emd_mean:.3f}"
    console.print(f"EMD of the held-out modules: {mean}; econ-t train --config {found.configuration} trains it again")
    if csv:
        write_csv(csv, [one.model_dump(exclude={"options"}) | one.options for one in found.ranked])
