"""Command `evaluate`: physics metrics of weights on the modules of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.configured import find_config
from models.console import write_csv
from models.errors import InputError
from models.options import CalqFiles, CsvFile, JsonFile, Order, WeightsConfig, WeightsFile
from models.shipped import find, find_weights
from models.trigger_cells import CALQ_PER_MIPT
from training.commands.console import emd_progress, show_card, show_metrics
from training.commands.options import EmdProcesses, HeldOut
from training.data.dataset import charges_digest, held_out_rows
from training.fit.run import Run
from training.physics.evaluation import evaluate_run


def evaluate(
    weights: WeightsFile,
    input: CalqFiles,
    config: WeightsConfig = None,
    decoder: Annotated[Path | None, typer.Option(help="decoder.npz, a compact decoder, or the folder of a run; "
                                                      "default: the folder of the weights.")] = None,
    held_out: HeldOut = False,
    min_charge: Annotated[float | None, typer.Option(min=0, help="Only modules with a cell above this CALQ.")] = None,
    check_card: Annotated[bool, typer.Option("--check-card", help="Exit with status 1 unless a shipped set has the "
                                                                  "metrics that its card says.")] = False,
    json_: JsonFile = None,
    csv: CsvFile = None,
    order: Order = None,
    n_processes: EmdProcesses = None,
) -> None:
    """Evaluate the physics performance (EMD) with the emulator's integer latents and the decoder.

    For a shipped set, shows its card's values for the same modules too.

    Examples: econ-t evaluate --weights runs/econ_t_5elink/weights.npz --input runs/econ_t_5elink/test.csv
    --json metrics.json

    econ-t evaluate --weights econ_t_5elink --input ../shared/data/CALQ_output.csv --held-out --check-card
    """
    weights = find_weights(weights)
    chosen = find_config(weights, config)
    modules = read_calq(input, column_order(order, chosen.data.order))
    if held_out:
        modules = held_out_rows(modules)
    run, calq = Run(weights.parent, new=True), modules.calq
    if check_card and not run.is_shipped:
        raise InputError(f"{weights}: not a shipped set, which --check-card is about")
    sample = run.card.sample_of(charges_digest(calq)) if run.is_shipped and not decoder else None
    if check_card and not sample:
        raise InputError(f"{modules.source}: modules that the card of {run.name} does not know, expected those of one "
                         f"of its samples: {', '.join(one.name for one in run.card.samples)}")
    # The card knows the mean of modules with a cell above 35 CALQ, and that of all.
    known = ["emd_mean", "emd_mean_all"] if min_charge is None else ["emd_mean"] * (min_charge <= CALQ_PER_MIPT)
    if check_card and not known:
        raise InputError(f"--min-charge {min_charge:g} with --check-card, expected at most {CALQ_PER_MIPT}")
    if min_charge is not None:
        calq = calq[calq.max(axis=1, initial=0) > min_charge]
    if decoder:
        decoder = find(decoder)
        decoder = Run(decoder).decoder_file if decoder.is_dir() else decoder
    found = evaluate_run(chosen, weights, decoder or run.decoder_file, calq, n_processes, emd_progress)
    show_metrics(chosen, found)
    if json_:
        found.save(json_)
    if csv:
        write_csv(csv, [found.model_dump(exclude={"latents"})])
    if sample:
        show_card(run.name, sample, found, known)
        problem = run.card.problem(sample, found, known)
        if check_card and problem:
            typer.echo(f"{run.name}: {problem}", err=True)
            raise typer.Exit(1)
