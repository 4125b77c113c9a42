"""Command `seu`: flip every bit, show the tables, write JSON and figures."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.console import Console

from models.console import Column, result_console, say, show_table, write_csv
from models.files import atomic_path, check_replaced
from models.options import CsvFile, Force, Order
from training.commands.console import emd_progress, show_remarks
from training.commands.options import RunFolder
from training.fit.remarks import remarks_on
from training.fit.run import Run
from training.networks.decoding import decode
from training.results.upsets import Upsets
from training.studies import seu as upsets

N_RANKED = 50
PERIODS_S = (1.0, 60.0, 3600.0, 86400.0)
UPSETS_PER_HOUR = 1.0
"""Assumed upsets of all 12,864 weight bits without redundancy: a number to scale, not a measured rate."""
_OPTIONAL = ("latents", "frames", "sum")  # columns of a wide terminal


def seu(
    run: RunFolder,
    input: Annotated[list[str] | None, typer.Option(help="CALQ file or folder; default: RUN/test.csv.")] = None,
    order: Order = None,
    n_events: Annotated[int, typer.Option(min=1, help="Number of events for the latents.")] = 2000,
    n_emd: Annotated[int, typer.Option(min=12, help="Number of events for EMD and RTL.")] = 64,
    n_votes: Annotated[int, typer.Option(min=1, help="Number of stored bits to flip in redundant copies.")] = 1500,
    rtl: Annotated[bool, typer.Option("--rtl/--no-rtl", help="Also compile the RTL and flip its registers.")] = True,
    json_: Annotated[str | None, typer.Option("--json", help="Result; default: RUN/seu.json; - is stdout.")] = None,
    csv: CsvFile = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures; default: RUN/seu.")] = None,
    format: Annotated[Literal["pdf", "png", "svg"], typer.Option(help="Format of the figures.")] = "png",
    force: Force = False,
) -> None:
    """Single-event upsets: flip every bit of weights, settings and pipeline, and rank them with and without a vote.

    Example: econ-t seu --run runs/econ_t_5elink
    """
    from training.figures.seu import critical_bits  # noqa: PLC0415  (Matplotlib, which --help does without)
    from training.figures.style import style  # noqa: PLC0415
    from training.studies.seu_rtl import FlipBench  # noqa: PLC0415  (Amaranth, which --help does without)

    trained = Run(run)
    modules = trained.modules(input, order)
    check_replaced(json_ or trained.upsets_file, force)
    config, weights, decoder = trained.config, trained.weights, trained.decoder
    if len(input or ()) > 1:
        say(f"{modules.source}: pooled into one sample")
    calq = modules.calq
    receiver = upsets.Receiver(weights, lambda latent, total: decode(decoder, latent, total),
                               calq[upsets.choose_events(calq, n_emd)])
    events = calq[upsets.choose_events(calq, n_events)]
    bits = upsets.weight_upsets(receiver, events, emd_progress)
    pipeline = redundancy = None
    if rtl:
        with tempfile.TemporaryDirectory() as folder:
            chip = FlipBench.build(weights, Path(folder))
            settings_and_pipeline, pipeline = upsets.rtl_upsets(receiver, chip)
            bits += settings_and_pipeline
            redundancy = upsets.redundancy(receiver, chip, 4, n_votes)
    flipped = tuple(one.result() for one in bits)
    n_weight_bits = sum(len(one.place) for one in flipped if one.kind == "weights")
    result = Upsets(
        config=config.name, data=modules.source, n_events=len(events), n_emd=len(receiver.calq),
        emd=receiver.plain_emd(), pipeline=pipeline, redundancy=redundancy, bits=flipped,
        ranking=upsets.ranking(flipped, N_RANKED),
        accumulation=upsets.accumulation(n_weight_bits, UPSETS_PER_HOUR, PERIODS_S))
    show(result_console(json_, csv), result)
    show_remarks(remarks_on(modules, trained, weights.digest()))
    result.save(json_ or trained.upsets_file)
    if csv:
        write_csv(csv, [row.model_dump() for row in result.ranking])
    with style("experiment"), atomic_path((figures or trained.upsets_folder) / f"critical_bits.{format}") as temporary:
        critical_bits(flipped, config.encoder).savefig(temporary, dpi=150)


def show(console: Console, result: Upsets) -> None:
    """Show effects by array and register, the top of the ranking, and the effect of redundancy."""
    titles = ("bits", "latents", "|difference|", "frames", "sum", "EMD change", "largest")
    rows = []
    for one in result.bits:
        values = [f"{np.mean(values):.3f}" for _, values in one.effects or ()]
        largest = [f"{max(one.effects.emd_change):.3f}"] if one.effects else []
        rows.append((one.kind, one.name, f"{len(one.place):,}", *(values + largest or ["lasts"] * 6)))
    show_table(console, f"{result.config}: fraction of events that a flipped bit changes, mean over the bits; "
                        f"EMD without flips {result.emd:.3f}",
               ["kind", "name", *(Column(title, right=True, optional=title in _OPTIONAL) for title in titles)],
               rows)
    numbers = [Column(title, right=True) for title in ("latents", "|code difference|", "EMD change")]
    title = "bits that change the EMD most, with the fraction of changed latents"
    show_table(console, title, ["kind", "bit", *numbers], [
        (kind, row.name, f"{row.latent_changed:.3f}", f"{row.code_difference:.2f}", f"{row.emd_change:.3f}")
        for kind in dict.fromkeys(row.kind for row in result.ranking)
        for row in [row for row in result.ranking if row.kind == kind][:8]])
    for name, part in (("pipeline", result.pipeline), ("redundancy", result.redundancy)):
        for key, value in part or ():
            shown = f"{value:,}" if isinstance(value, int) else ", ".join(value)
            console.print(f"{name}: {key.replace('_', ' ')}: {shown}")
    rate = result.accumulation
    for period in rate.periods:
        upsets_in = f"upset{'s' * (rate.upsets_per_hour != 1)} per hour in {rate.n_bits:,} bits"
        console.print(f"{rate.upsets_per_hour:g} {upsets_in}, three copies scrubbed every {period.period_s:,g} s: "
                      f"{period.wrong_votes_per_day:.3g} wrong votes per day")
