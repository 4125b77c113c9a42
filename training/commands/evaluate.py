"""Command `evaluate`: physics metrics of weights on the modules of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.calq_io import column_order, read_calq
from models.configured import find_config
from models.console import result_console, say, write_csv
from models.errors import InputError
from models.options import CalqFiles, CsvFile, JsonFile, Order, WeightsConfig, WeightsFile
from models.result import ResultList
from models.shipped import find, find_weights
from models.trigger_cells import CALQ_PER_MIPT
from training.commands.console import emd_progress, show_card, show_metrics
from training.commands.options import EmdProcesses, HeldOut
from training.data.dataset import charges_digest, held_out_rows
from training.fit.remarks import remarks_on
from training.fit.run import Run
from training.physics.evaluation import evaluate_run
from training.results.evaluation import Evaluation


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

    Each --input is a sample of its own, with its own metrics; --json then holds a list. Modules that the run was
    trained on, and a decoder of other weights, are told. For a shipped set, shows its card's values for the same
    modules too.

    Examples: econ-t evaluate --weights runs/econ_t_5elink/weights.npz --input runs/econ_t_5elink/test.csv
    --json metrics.json

    econ-t evaluate --weights econ_t_5elink --input ../shared/data/CALQ_output.csv --held-out --check-card
    """
    weights = find_weights(weights)
    chosen = find_config(weights, config)
    run = Run(weights.parent, new=True)
    if check_card and not run.is_shipped:
        raise InputError(f"{weights}: not a shipped set, which --check-card is about")
    if decoder:
        decoder = find(decoder)
        decoder = Run(decoder).decoder_file if decoder.is_dir() else decoder
    compact = decoder.stem if decoder and decoder.parent.resolve() == run.folder.resolve() else None
    on_card = run.is_shipped and (decoder is None or compact is not None)
    # The card knows the mean of modules with a cell above 35 CALQ, and that of all.
    known = ["emd_mean", "emd_mean_all"] if min_charge is None else ["emd_mean"] * (min_charge <= CALQ_PER_MIPT)
    if check_card and not known:
        raise InputError(f"--min-charge {min_charge:g} with --check-card, expected at most {CALQ_PER_MIPT}")
    # Each input is a sample of its own: a mean over two of them would be of neither.
    tables = [read_calq(one, column_order(order, chosen.data.order)) for one in input]
    samples = []
    for table in tables:
        modules = held_out_rows(table) if held_out else table
        sample = run.card.sample_of(charges_digest(modules.calq), compact) if on_card else None
        if check_card and not sample:
            raise InputError(f"{modules.source}: modules that the card of {run.name} does not know, expected those of "
                             f"one of its samples: {', '.join(one.name for one in run.card.samples)}")
        if min_charge is not None:
            modules = modules.rows(modules.calq.max(axis=1, initial=0) > min_charge)
        samples.append((modules, sample))
    console, results, problems = result_console(json_, csv), [], []
    for modules, sample in samples:
        found = evaluate_run(chosen, weights, decoder or run.decoder_file, modules.calq, n_processes, emd_progress,
                             extra=modules.extra)
        found = found.model_copy(update={
            "data": modules.source, "remarks": remarks_on(modules, run, found.weights, decoder)})
        show_metrics(console, chosen, found)
        results.append(found)
        if sample:
            show_card(console, run.name, sample, found, known)
            problems.append(run.card.problem(sample, found, known))
    if json_:
        (results[0] if len(results) == 1 else ResultList[Evaluation](tuple(results))).save(json_)
    if csv:
        write_csv(csv, [found.model_dump(exclude={"latents"}) | {"remarks": "; ".join(found.remarks)}
                        for found in results])
    for problem in filter(None, problems if check_card else []):
        say(f"{run.name}: {problem}")
        raise typer.Exit(1)
