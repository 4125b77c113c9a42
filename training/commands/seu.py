"""The command `seu`: flip every bit, show the tables, write JSON and figures."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from models.calq_io import column_order, read_calq
from models.files import atomic_path, write_text
from models.options import Order
from training.commands.console import emd_progress
from training.commands.options import RunFolder
from training.figures.seu import critical_bits
from training.figures.style import style
from training.fit.run import Run
from training.networks.decoder import decode
from training.studies import seu as upsets
from training.studies.seu import Bits
from training.studies.seu_rtl import FlipBench

N_RANKED = 50
PERIODS_S = (1.0, 60.0, 3600.0, 86400.0)
UPSETS_PER_HOUR = 1.0
"""Of all 12,864 weight bits without redundancy: a number to scale, not a measured rate."""


def seu(
    run: RunFolder,
    input: Annotated[list[str] | None, typer.Option(help="CALQ file or folder; default: RUN/test.csv.")] = None,
    order: Order = None,
    n_events: Annotated[int, typer.Option(min=1, help="Number of events for the latents.")] = 2000,
    n_emd: Annotated[int, typer.Option(min=12, help="Number of events for EMD and RTL.")] = 64,
    n_votes: Annotated[int, typer.Option(min=1, help="Number of stored bits to flip in redundant copies.")] = 1500,
    rtl: Annotated[bool, typer.Option("--rtl/--no-rtl", help="Also compile the RTL and flip its registers.")] = True,
    json_: Annotated[str | None, typer.Option("--json", help="Result; default: RUN/seu.json; - is stdout.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures; default: RUN/seu.")] = None,
    format: Annotated[Literal["pdf", "png", "svg"], typer.Option(help="Format of the figures.")] = "png",
) -> None:
    """Single-event upsets: flip every bit of weights, settings and pipeline; which ones matter, and what a vote saves.

    Example: econ-t seu --run runs/econ_t_5elink
    """
    trained = Run(run)
    config, weights, decoder = trained.config, trained.weights, trained.decoder
    modules = read_calq(input or trained.test_file, column_order(order, config.data.order))
    calq = modules.calq
    receiver = upsets.Receiver(weights, lambda latent, total: decode(decoder, latent, total),
                               calq[upsets.choose_events(calq, n_emd)])
    events = calq[upsets.choose_events(calq, n_events)]
    bits = upsets.weight_upsets(receiver, events, emd_progress)
    result: dict[str, Any] = {
        "config": config.name, "data": modules.source, "n_events": len(events),
        "n_emd": len(receiver.calq), "emd": receiver.plain_emd(), "meanings": upsets.MEANINGS}
    if rtl:
        with tempfile.TemporaryDirectory() as folder:
            chip = FlipBench.build(weights, Path(folder))
            settings_and_pipeline, result["pipeline"] = upsets.rtl_upsets(receiver, chip)
            bits += settings_and_pipeline
            result["redundancy"] = upsets.redundancy(receiver, chip, 4, n_votes)
    n_weight_bits = sum(len(one.place) for one in bits if one.kind == "weights")
    result |= {
        "bits": [as_json(one) for one in bits], "ranking": ranking(bits, N_RANKED),
        "accumulation": {"n_bits": n_weight_bits, "upsets_per_hour": UPSETS_PER_HOUR,
                         "periods": upsets.accumulation(n_weight_bits, UPSETS_PER_HOUR, PERIODS_S)}}
    show(result)
    write_text(json_ or str(trained.upsets_file), json.dumps(result, ensure_ascii=False) + "\n")
    with style("experiment"), atomic_path((figures or trained.upsets_folder) / f"critical_bits.{format}") as temporary:
        critical_bits(result, config.encoder).savefig(temporary, dpi=150)


def as_json(bits: Bits) -> dict[str, Any]:
    """Figures of each bit, rounded to what they are worth."""
    return {"name": bits.name, "kind": bits.kind, "place": bits.place.tolist(),
            **{name: [round(value, 6) for value in values.tolist()] for name, values in bits.figures.items()}}


def ranking(bits: Sequence[Bits], n: int) -> list[dict[str, Any]]:
    """The bits that change the EMD most, of each kind."""
    found = []
    for kind in dict.fromkeys(one.kind for one in bits):
        known = [(one, k) for one in bits if one.kind == kind and one.figures for k in range(len(one.place))]
        known.sort(key=lambda bit: -bit[0].figures["emd_change"][bit[1]])
        found += [{"kind": kind, "name": one.label(k),
                   **{name: round(float(values[k]), 6) for name, values in one.figures.items()}}
                  for one, k in known[:n]]
    return found


def show(result: Mapping[str, Any]) -> None:
    """Tables: figures of each array and register, the first of the ranking, redundancy."""
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 130)
    table = Table("kind", "name", box=SIMPLE_HEAD,
                  title=f"{result['config']}: part of the events that one flipped bit changes, mean over the bits; "
                        f"EMD without it {result['emd']:.3f}")
    titles = ("bits", "latents", "|difference|", "frames", "sum", "EMD change", "largest")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for one in result["bits"]:
        figures = [np.mean(one[name]) if name in one else None for name in result["meanings"]]
        figures.append(max(one["emd_change"]) if "emd_change" in one else None)
        table.add_row(one["kind"], one["name"], f"{len(one['place']):,}",
                      *("lasts" if value is None else f"{value:.3f}" for value in figures))
    console.print(table)
    ranked = Table("kind", "bit", box=SIMPLE_HEAD, title="bits that change the EMD most")
    for title in ("latents changed", "|code difference|", "EMD change"):
        ranked.add_column(title, justify="right")
    for kind in dict.fromkeys(row["kind"] for row in result["ranking"]):
        for row in [row for row in result["ranking"] if row["kind"] == kind][:8]:
            ranked.add_row(kind, row["name"], f"{row['latent_changed']:.3f}", f"{row['code_difference']:.2f}",
                           f"{row['emd_change']:.3f}")
    console.print(ranked)
    for name in ("pipeline", "redundancy"):
        for key, value in result.get(name, {}).items():
            shown = ", ".join(value) if isinstance(value, list) else f"{value:,}"
            console.print(f"{name}: {key.replace('_', ' ')}: {shown}", highlight=False, soft_wrap=True)
    rate = result["accumulation"]
    for row in rate["periods"]:
        console.print(f"{rate['upsets_per_hour']:g} upset/h in {rate['n_bits']:,} bits, three copies scrubbed every "
                      f"{row['period_s']:g} s: {row['wrong_votes_per_day']:.3g} wrong votes/day", highlight=False)
