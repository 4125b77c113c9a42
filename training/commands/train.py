"""Command `train`: train encoder and decoder of a configuration, or several networks by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.config import Config
from models.options import ConfigFile, Order, Settings
from training.commands.console import TrainingProgress, log_to_console, show_training, show_warm_start
from training.commands.old_options import CommandWithOldOptions
from training.commands.options import ModulesToGenerate, RowsPerFile, TrainingFiles
from training.commands.train_networks import configured, train_networks
from training.fit.run import Run
from training.results.start import WarmStart

app = typer.Typer(add_completion=False)


@app.command(cls=CommandWithOldOptions)
def train(
    config: ConfigFile = Path("econ_t_5elink"),
    output: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/NAME.")] = None,
    models: Annotated[str | None, typer.Option(help="Comma-separated names of networks to train instead of the "
                                                    "configured encoder, each into OUTPUT/NAME.")] = None,
    quantize: Annotated[bool, typer.Option("--quantize", help="Train the quantised versions of --models.")] = False,
    data: TrainingFiles = None,
    order: Order = None,
    nrows_per_file: RowsPerFile = None,
    n_modules: ModulesToGenerate = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of epochs; default: the configured one.")] = None,
    loss: Annotated[str | None, typer.Option(help="Loss; default: the configured one.")] = None,
    mask_partials: Annotated[bool | None, typer.Option("--mask-partials", help="Skip partial modules.")] = None,
    mask_energies: Annotated[float | None, typer.Option(help="Skip modules with at most this "
                                                             "SimEnergyFraction.")] = None,
    occupancy_weight: Annotated[float | None, typer.Option(help="Weight of rare occupancies, 0 to 1.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the training; not of the split.")] = None,
    set_: Settings = None,
    start: Annotated[Path | None, typer.Option(help="Initialise from this run or shipped set, of any link budget and "
                                                    "arithmetic, or from the encoder in a file (Keras, frozen graph, "
                                                    "SavedModel, weights.npz, registers).")] = None,
    start_decoder: Annotated[Path | None, typer.Option(help="With --start FILE: the decoder of that encoder (Keras, "
                                                            "frozen graph, decoder.npz), for a decoder of the same "
                                                            "layers.")] = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train again even if this run is finished.")] = False,
) -> None:
    """Train encoder and decoder; an interrupted run is resumed, a finished one is not repeated.

    With training.stages in the configuration, trains the stages one after another.

    Example: econ-t train --config configs/econ_t_5elink.yaml --output runs/econ_t_5elink
    """
    log_to_console()

    def with_options(config: Config) -> Config:
        return config.override(
            data={"files": data, "order": order, "nrows_per_file": nrows_per_file, "n_modules": n_modules,
                  "mask_partials": mask_partials, "mask_energies": mask_energies},
            training={"epochs": epochs, "loss": loss, "seed": seed, "occupancy_weight": occupancy_weight},
        ).with_settings(set_ or [])

    chosen = with_options(Config.load(config))
    if models or quantize:
        # Networks depend on the links, and options on the network.
        chosen_networks = [with_options(one) for one in configured(chosen, models, quantize, start)]
        check_files(chosen)
        train_networks(chosen_networks, output or Path("runs"), retrain)
        return
    check_files(chosen)
    if start and not start.exists():
        Run(start).config  # noqa: B018  (says what is missing, unless this is a shipped set)
    from training.fit.train import train as run_training  # noqa: PLC0415  (starts TensorFlow, which is for good input)

    folder = output or Run.of(chosen).folder
    with TrainingProgress(chosen) as progress:
        summary = run_training(chosen, folder, retrain, progress.epoch, start, start_decoder, on_stage=progress.stage,
                               has_retrain=True)
    show_training(chosen, folder, summary)
    measured = WarmStart.find(Run(folder, new=True).start_file)
    if measured:
        show_warm_start(measured)


def check_files(config: Config) -> None:
    """Raise an error for a file of charges, of any stage, that is missing."""
    for stage in config.stages():
        for file in stage.config.data.files:
            if file != "-":
                Path(file).stat()
