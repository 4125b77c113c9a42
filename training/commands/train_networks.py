"""`train --models`: the networks that are named, trained one after the other and compared."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.config import Config
from models.errors import InputError
from models.result import ResultList
from models.trigger_cells import CALQ_PER_MIPT
from training.commands.console import TrainingProgress, show_table
from training.fit.run import Run
from training.fit.train import train
from training.networks.catalogue import NETWORKS, configure, find
from training.results.encoders import TrainedNetwork


def configured(config: Config, models: str | None, quantize: bool, start: Path | None) -> Iterator[Config]:
    """The configuration of every network in `models`, by commas, with quantised ones for float ones if asked.

    Raises InputError for a name that is not known, and for options that do not go together.
    """
    names = [name.strip() for name in (models or "").split(",") if name.strip()]
    if not names:
        raise InputError("--quantize is about the networks of --models, expected both: without --models, training is "
                         "always in the formats of the configuration")
    if start:
        raise InputError(f"--start {start}: networks by name start at random, expected --models or --start alone")
    full = dict.fromkeys(find(name, quantize)[0] for name in names)  # all are known before the first is trained
    return (configure(config, name) for name in full)


def train_networks(configs: Sequence[Config], output: Path, retrain: bool) -> None:
    """Train each network into output/NAME, evaluate each on its held-out rows, and show one table.

    Writes metrics.json beside each network, and all of them as output/networks.json.
    """
    logging.getLogger("tensorflow").setLevel("ERROR")  # else it warns that every network traces functions of its own

    rows: list[TrainedNetwork] = []
    for config in configs:
        run, network = Run(output / config.name), NETWORKS[config.name]
        with TrainingProgress(config) as progress:
            summary = train(config, run.folder, retrain, progress.epoch)
        found = run.evaluate()
        found.save(run.metrics_file)
        rows.append(TrainedNetwork(
            name=config.name, formats=network.formats, on_chip=network.on_chip, loss=config.training.loss,
            epochs=summary.epochs, n_elinks=config.encoder.n_elinks, **found.model_dump(exclude={"config"})))
    ResultList[TrainedNetwork](tuple(rows)).save(output / "networks.json")
    show_table(f"EMD, {rows[0].n_elinks} links: held-out modules with a cell above {CALQ_PER_MIPT} CALQ, and all", [
        {"name": row.name, "formats": row.formats, "on chip": row.on_chip, "mean": row.emd_mean,
         "median": row.emd_median, "68%": row.emd_q68, "of all": row.emd_mean_all} for row in rows])
