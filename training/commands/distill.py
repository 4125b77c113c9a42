"""Command `distill`: compact decoders of a run's encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.console import Column, result_console, show_table, write_csv
from models.errors import InputError
from models.files import atomic_path
from models.options import CsvFile, JsonFile, Order, Settings
from training.commands.console import TrainingProgress, log_to_console
from training.commands.options import Epochs, HeldOut, RunFolder
from training.data.dataset import held_out_rows
from training.fit.run import Run
from training.physics.evaluation import shown
from training.results.run import Epoch


def distill(
    run: RunFolder,
    macs: Annotated[list[int] | None, typer.Option(min=1, help="Largest number of multiply-accumulates; may be "
                                                               "repeated. Default: 3000 and 30000.")] = None,
    hidden: Annotated[int, typer.Option(min=1, max=7, help="Number of hidden layers, all of one width.")] = 2,
    weight_bits: Annotated[int, typer.Option(min=2, max=8, help="Bits of the weights.")] = 6,
    share: Annotated[float, typer.Option(min=0, max=1, help="Weight of the teacher in the loss; the rest is that of "
                                                            "the truth.")] = 0.5,
    teacher: Annotated[Path | None, typer.Option(help="Decoder that teaches; default: that of the run.")] = None,
    epochs: Epochs = 60,
    input: Annotated[list[str] | None, typer.Option(help="CALQ file or folder to evaluate on; may be repeated. "
                                                         "Default: the held-out modules of the run.")] = None,
    held_out: HeldOut = False,
    order: Order = None,
    output: Annotated[Path | None, typer.Option(help="Folder of the decoders; default: that of the run.")] = None,
    set_: Settings = None,
    json_: JsonFile = None,
    csv: CsvFile = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Replace decoders of other options.")] = False,
) -> None:
    """Train decoders of a few thousand multiply-accumulates, in integers, on the truth and on the run's own decoder.

    Writes compact_3k.npz and so on, distillation.json and distillation.png. An interrupted training is resumed, a
    finished one is not repeated. Look-up tables appear once `econ-t rtl decoder` has written the folder compact_3k.
    Example: econ-t distill --run runs/econ_t_5elink --macs 3000 --macs 30000
    """
    log_to_console()
    trained = Run(run)
    options = {"epochs": epochs, "patience": epochs, "loss": "kernel", "final_loss": "emd", "final_fraction": 0.2,
               "learning_rate": 0.006, "batch_size": 256, "passes": 1, "stages": ()}
    config = trained.config.evolve(training=options).with_settings(set_ or [])
    if held_out and not input:
        raise InputError("--held-out is about the rows of --input, which is missing")
    test = read_calq(input, column_order(order, config.data.order)) if input else None
    test = held_out_rows(test) if test and held_out else test
    from training.figures.distillation import emd_against_cost  # noqa: PLC0415  (Matplotlib, which is for good input)
    from training.figures.style import style  # noqa: PLC0415
    from training.studies.distillation import Options, distil  # noqa: PLC0415  (starts TensorFlow, which is for good input)

    @contextmanager
    def reporter(name: str) -> Iterator[Callable[[int, Epoch], None]]:
        with TrainingProgress(config, name) as progress:
            yield progress.epoch

    chosen = Options(tuple(macs or Options.macs), hidden, weight_bits, share)
    found = distil(trained, config, chosen, teacher=teacher, output=output, test=test, report=reporter,
                   retrain=retrain)
    picture = Run(output or trained.results_folder, new=True).distillation_file.with_suffix(".png")
    with style("experiment"), atomic_path(picture) as temporary:
        emd_against_cost(found).savefig(temporary, dpi=150)
    right = [Column(name, right=True) for name in ("multiply-accumulates", "bits", "LUT", "validation EMD", "EMD")]
    rows = [("teacher", f"{found.teacher.macs:,}", "float", "-", "-", shown(found.teacher.metrics.emd_mean))]
    rows += [(one.name, f"{one.macs:,}", str(one.weight_bits), " / ".join(f"{row.lut:,}" for row in one.implementations)
              or "-", shown(one.val_emd), shown(one.metrics.emd_mean)) for one in found.points]
    show_table(result_console(json_, csv), f"{found.config}: EMD of {found.data}", ["decoder", *right], rows)
    if json_:
        found.save(json_)
    if csv:
        write_csv(csv, found.records())
