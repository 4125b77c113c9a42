"""Command `emd-loss`: train losses that approximate the earth mover's distance."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from models.config import Config
from models.console import result_console, write_csv
from models.errors import InputError
from models.options import ConfigFile, CsvFile, Order, Settings
from models.trigger_cells import to_trigger_cells
from training.commands.console import log_to_console, part_progress, show_records
from training.commands.old_options import CommandWithOldOptions
from training.commands.options import ModulesToGenerate, RowsPerFile, TrainingFiles
from training.data.dataset import Dataset
from training.losses.learned_file import is_ours

app = typer.Typer(add_completion=False)


@app.command(cls=CommandWithOldOptions)
def emd_loss(
    config: ConfigFile = Path("econ_t_5elink"),
    output: Annotated[Path, typer.Option(help="Folder of the losses.")] = Path(
        "runs/emd_loss"),
    data: TrainingFiles = None,
    order: Order = None,
    nrows_per_file: RowsPerFile = None,
    n_modules: ModulesToGenerate = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each network, each on new pairs.")] = 20,
    best: Annotated[int, typer.Option(min=1, max=99, help="Number of losses to keep, the best ones.")] = 8,
    n_trained: Annotated[int | None, typer.Option(min=1, max=200, help="Networks to train; default: 1.5 times "
                                                                       "--best.")] = None,
    n_pairs: Annotated[int, typer.Option(min=256, max=10_000_000, help="Number of pairs of maps per epoch.")] = 30_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of pairs and first weights.")] = 1,
    set_: Settings = None,
    csv: CsvFile = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Replace older losses in --output.")] = False,
) -> None:
    """Train small networks that approximate the exact EMD, for `train --loss`: emd_loss1 is the best, and so on.

    Networks are trained on training rows and ranked on validation rows; held-out rows are not used.
    Example: econ-t emd-loss --data calq.csv --output runs/emd_loss --best 8
    """
    log_to_console()
    n_models = n_trained or -(-3 * best // 2)
    if n_models < best:
        raise InputError(f"--n-trained {n_models}, expected at least {best}, the number to keep (--best)")
    _check_folder(output, retrain)
    chosen = Config.load(config).override(
        data={"files": data, "order": order, "nrows_per_file": nrows_per_file, "n_modules": n_modules},
    ).with_settings(set_ or [])
    dataset = Dataset.from_config(chosen)
    train, held_out = (to_trigger_cells(part.calq) for part in (dataset.train, dataset.validation))
    from training.losses.learned import train_family  # noqa: PLC0415  (starts TensorFlow, which --help does without)

    # TensorFlow mistakes the functions of several networks for one that is retraced.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with part_progress(n_models * epochs) as done:
        result = train_family(train, held_out, chosen.training.augment, output, epochs=epochs, n_models=n_models,
                              best=best, n_pairs=n_pairs, seed=seed, report=done)
    title = f"against the exact EMD, {result.n_held_out_pairs} held-out pairs of mean {result.mean_emd:.3f}"
    show_records(result_console(csv), title, [
        {"loss": row.name, "image": row.image, "conv": f"{row.layers} x {row.filters} x {row.kernel}",
         "dense": row.units, "seed": row.seed, "mean |error|": row.mean_absolute_error, "bias": row.bias,
         "spread": row.spread, "corr.": row.correlation} for row in result.models])
    if csv:
        write_csv(csv, [row.model_dump() for row in result.models])


def _check_folder(output: Path, retrain: bool) -> None:
    """Raise InputError if `output` holds anything but losses, or losses without `retrain`: all of it is replaced."""
    if output.is_dir():
        other = next((path.name for path in sorted(output.iterdir()) if not is_ours(path)), None)
        if other:
            raise InputError(f"--output {output} holds {other}, expected a folder of losses, or an empty or new one")
        if not retrain and any(output.iterdir()):
            raise InputError(f"--output {output} holds losses; choose another one, or give --retrain to replace them")
    elif output.exists():
        raise InputError(f"--output {output} is a file, expected a folder")
