"""Option `train --models`: train several networks by name and compare them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.config import Config
from models.console import result_console
from models.errors import InputError
from models.result import ResultList
from models.trigger_cells import CALQ_PER_MIPT
from models.wording import counted
from training.commands.console import TrainingProgress, show_records
from training.fit.run import Run
from training.networks.catalogue import NETWORKS, configure, find
from training.results.encoders import TrainedNetwork


def configured(config: Config, models: str | None, quantize: bool, start: Path | None) -> Iterator[Config]:
    """Configurations of the networks in `models`, separated by commas; `quantize` takes their quantised versions.

    Raises InputError for an unknown name and for incompatible options.
    """
    names = [name.strip() for name in (models or "").split(",") if name.strip()]
    if not names:
        raise InputError("--quantize needs --models; without it, training always uses the configured formats")
    if start:
        raise InputError(f"--start {start} and --models exclude each other: named networks start from random weights")
    full = dict.fromkeys(find(name, quantize)[0] for name in names)  # check all names before the first training
    return (configure(config, name) for name in full)


def train_networks(configs: Sequence[Config], output: Path, retrain: bool) -> None:
    """Train each network in output/NAME, evaluate it on its held-out rows, and show all of them in one table.

    Writes metrics.json next to each network, and all results to output/networks.json.
    """
    from training.fit.train import train  # noqa: PLC0415  (starts TensorFlow, which is for good input)

    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about retracing when there are several networks
    rows: list[TrainedNetwork] = []
    for config in configs:
        run, network = Run(output / config.name, new=True), NETWORKS[config.name]
        with TrainingProgress(config) as progress:
            summary = train(config, run.folder, retrain, progress.epoch, on_stage=progress.stage,
                            has_retrain=True)
        found = run.evaluate()
        found.save(run.metrics_file)
        rows.append(TrainedNetwork(
            name=config.name, formats=network.formats, on_chip=network.on_chip, loss=config.training.loss,
            epochs=summary.epochs, n_elinks=config.encoder.n_elinks, **found.model_dump(exclude={"config"})))
    ResultList[TrainedNetwork](tuple(rows)).save(output / "networks.json")
    links = counted(rows[0].n_elinks, "link")
    show_records(result_console(), f"EMD, {links}: held-out modules with a cell above {CALQ_PER_MIPT} CALQ, and all", [
        {"name": row.name, "formats": row.formats, "on chip": row.on_chip, "mean": row.emd_mean,
         "median": row.emd_median, "68%": row.emd_q68, "of all": row.emd_mean_all} for row in rows])
