"""Command line of the training: `python -m training train ...`, `evaluate`, `report`, `data generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.errors import one_line_errors
from training.commands.compare import compare
from training.commands.data import app as data_app
from training.commands.emd_loss import emd_loss
from training.commands.export import export
from training.commands.flops import flops
from training.commands.hybrid import hybrid
from training.commands.networks import networks
from training.commands.old_options import CommandWithOldOptions
from training.commands.pareto import pareto
from training.commands.search import search
from training.commands.seu import seu

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(data_app, name="data")


@app.command(cls=CommandWithOldOptions)
def train(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")] = Path("econ_t_5elink"),
    output: Annotated[Path | None, typer.Option(help="Folder of the run; default runs/NAME.")] = None,
    models: Annotated[str | None, typer.Option(help="Networks by name, with commas between, instead of the configured "
                                                    "encoder: each in a folder of its name inside --output.")] = None,
    quantize: Annotated[bool, typer.Option("--quantize", help="The quantised versions of --models.")] = False,
    data: Annotated[list[str] | None, typer.Option(help="CALQ file or folder; may be repeated.")] = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
    nrows_per_file: Annotated[int | None, typer.Option(min=1, help="Read only the first rows of each file.")] = None,
    n_modules: Annotated[int | None, typer.Option(min=10, help="Modules to generate when no file is given.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the configured number.")] = None,
    loss: Annotated[str | None, typer.Option(help="Instead of the configured loss.")] = None,
    mask_partials: Annotated[bool | None, typer.Option("--mask-partials", help="Leave out cut modules.")] = None,
    mask_energies: Annotated[float | None, typer.Option(help="Leave out modules with at most this "
                                                             "SimEnergyFraction.")] = None,
    occupancy_weight: Annotated[float | None, typer.Option(help="0 to 1: how much rare occupancies count.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the training; held-out rows stay.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any other value of the configuration: "
                                                                 "section.key=value; may be repeated.")] = None,
    start: Annotated[Path | None, typer.Option(help="Run to begin with; may be of another link budget.")] = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train again, even if this very run is finished.")] = False,
) -> None:
    """Train encoder and decoder; an interrupted run continues, a finished one is not repeated.

    Example: python -m training train --config configs/econ_t_5elink.yaml --output runs/econ_t_5elink
    """
    with one_line_errors():
        from models.config import Config
        from training.commands.console import TrainingProgress, log_to_console, show_training

        log_to_console()
        def with_options(config: Config) -> Config:
            return config.override(
                data={"files": data, "order": order, "nrows_per_file": nrows_per_file, "n_modules": n_modules,
                      "mask_partials": mask_partials, "mask_energies": mask_energies},
                training={"epochs": epochs, "loss": loss, "seed": seed, "occupancy_weight": occupancy_weight},
            ).with_settings(set_ or [])

        if models or quantize:
            from training.commands.networks import configured, train_networks

            base = with_options(Config.load(config))  # a network depends on the links, and options on the network
            chosen_networks = [with_options(one) for one in configured(base, models, quantize, start)]
            return train_networks(chosen_networks, output or Path("runs"), retrain)
        chosen = with_options(Config.load(config))
        folder = output or Path("runs") / chosen.name
        from training.fit.train import train as run_training

        with TrainingProgress(chosen) as progress:
            summary = run_training(chosen, folder, retrain, progress.epoch, start)
        show_training(chosen, folder, summary)


@app.command()
def evaluate(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    input: Annotated[list[str], typer.Option(help="CALQ file (CSV, Parquet) or folder; may be repeated.")],
    decoder: Annotated[Path | None, typer.Option(help="decoder.keras or the folder of a run; default: that of the "
                                                      "weights.")] = None,
    json_: Annotated[str | None, typer.Option("--json", help="Also write the figures as JSON; - is stdout.")] = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
    n_processes: Annotated[int | None, typer.Option(min=1, help="Processes for the EMD; default: what pays.")] = None,
) -> None:
    """Physics performance (EMD) through the emulator's integer latents and the decoder.

    Example: python -m training evaluate --config configs/econ_t_5elink.yaml --weights runs/econ_t_5elink/weights.npz
    --input runs/econ_t_5elink/test.csv --json metrics.json
    """
    with one_line_errors():
        import json

        from models.calq_io import column_order, read_calq
        from models.config import Config
        from models.files import write_text
        from training.commands.console import emd_progress, show_metrics
        from training.physics.evaluation import evaluate_run

        chosen = Config.load(config)
        calq = read_calq(input, column_order(order, chosen.data.order)).calq
        figures = evaluate_run(chosen, weights, decoder or weights.parent, calq, n_processes, emd_progress)
        show_metrics(chosen, figures)
        if json_:
            write_text(json_, json.dumps({"config": chosen.name, **figures}, indent=1) + "\n")


app.command()(compare)
app.command(cls=CommandWithOldOptions)(emd_loss)
app.command()(export)
app.command()(flops)
app.command()(pareto)
app.command()(hybrid)
app.command()(search)
app.command()(networks)
app.command()(seu)


@app.command()
def report(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    run: Annotated[Path, typer.Option(help="Folder of the run.")],
    json_: Annotated[str | None, typer.Option("--json", help="Also write what the page shows; - is stdout.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Also write every figure into this folder.")] = None,
    format: Annotated[str, typer.Option(help="pdf or png, of the files in --figures.")] = "pdf",
    label: Annotated[str, typer.Option(help="Text after CMS above the figures in --figures.")] = "",
) -> None:
    """Write the HTML page of a run: RUN/report.html. It needs no network and no other file.

    Example: python -m training report --config configs/econ_t_5elink.yaml --run runs/econ_t_5elink
    --figures plots --format png
    """
    with one_line_errors():
        from models.config import Config
        from training.report.page import write_report

        write_report(Config.load(config), run, json_, figures, format, label)


if __name__ == "__main__":
    app()
