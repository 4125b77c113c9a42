"""The command `compare` (`econ-t check`): emulator against C++, RTL and a routed netlist, stage by stage."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from bitexact_tests.comparison import Comparison, bit_comparison, compare_stages
from emulator import EconT, encode
from hls.commands.options import backend_name
from hls.csim import run_csim
from models.arrays import IntArray
from models.bit_comparison import ROUTED, RTL, TITLES
from models.calq_io import column_order, read_calq
from models.chip import MAX_ELINKS
from models.command_line import with_old_names
from models.configured import load_configured
from models.console import Column, result_console, show_table, write_csv
from models.options import CalqFiles, CsvFile, JsonFile, Order, WeightsConfig, WeightsFile
from models.register_weights import for_encoder
from models.weights import EncoderWeights
from rtl.commands.options import Fold, chip

if TYPE_CHECKING:
    from rtl.design.chip import AutoencoderChip

app = typer.Typer(add_completion=False)


@app.command(cls=with_old_names({"--output": "--json"}))
def compare(
    weights: WeightsFile,
    input: CalqFiles,
    config: WeightsConfig = None,
    backend: Annotated[list[str] | None, typer.Option(help="vitis, catapult or rtl; may be repeated.")] = None,
    fold: Fold = None,
    json_: JsonFile = None,
    csv: CsvFile = None,
    order: Order = None,
    placed: Annotated[Path | None, typer.Option(help="Result of `rtl place`: also compare the frames of the routed "
                                                     "netlist, of its fastest seed.")] = None,
    build: Annotated[Path | None, typer.Option(help="Folder of its netlists; default: placed, beside the "
                                                    "result.")] = None,
) -> None:
    """Run every event through the emulator and another implementation, and compare each stage bit by bit.

    vitis and catapult are the HLS C++, compiled; rtl is the Verilog, simulated (compiling takes two minutes).
    With --placed and no --backend, only the routed netlist runs (compiling takes minutes): weights and charges go in at
    its pins, and the words of all links come out. Exits with 1 if a bit differs.

    Example: econ-t check --weights runs/econ_t_5elink/weights.npz --input calq.csv --backend vitis
    """
    chosen, codes = load_configured(weights, config)
    calq = read_calq(input, column_order(order, chosen.data.order)).calq
    reference: dict[str, IntArray] = {**encode(codes, calq)}
    asked: list[str | None] = [*backend] if backend else [] if placed else [None]
    names = [one if one == RTL else backend_name(one, chosen.hls.backend) for one in asked]
    if placed:
        names.append(ROUTED)
        reference["etx"] = EconT(for_encoder(codes)).run_calq(calq).etx
    console = result_console(json_, csv)
    results = {}
    for name in names:
        stages: Mapping[str, IntArray]
        if name == ROUTED and placed:
            stages = _run_routed(placed, build or placed.parent / "placed", codes, calq)
        elif name == RTL:
            stages = _run_rtl(chip(chosen, "asic", redundant=False, fold=fold), codes, calq)
        else:
            stages = run_csim(chosen, codes, calq, backend=name)
        results[name] = compare_stages(chosen.encoder, calq, reference, stages)
        _show(console, f"{chosen.name}: emulator = {TITLES[name]}? {len(calq)} events", results[name])
    found = bit_comparison(chosen, codes, len(calq), results)
    if json_:
        found.save(json_)
    if csv:
        write_csv(csv, [{"backend": name, **row.model_dump()} for name, one in found.backends.items()
                        for row in one.stages])
    if not all(result.equal for result in results.values()):
        raise SystemExit(1)


def _run_rtl(top: AutoencoderChip, weights: EncoderWeights, calq: IntArray) -> dict[str, IntArray]:
    from rtl.simulation.events import simulate_events  # Amaranth, which --help does without

    with tempfile.TemporaryDirectory(prefix="rtl-") as folder:
        return simulate_events(top, weights, calq, Path(folder))


def _run_routed(result: Path, build: Path, weights: EncoderWeights, calq: IntArray) -> dict[str, IntArray]:
    """Words of all links of the chip: the block has no wires for those that its frames never fill."""
    from rtl.placing.simulation import routed_frames  # Amaranth, which --help does without

    with tempfile.TemporaryDirectory(prefix="rtl-") as folder:
        words = routed_frames(result, build, weights, calq, Path(folder))
    return {"etx": np.pad(words, ((0, 0), (0, MAX_ELINKS - words.shape[1])))}


def _show(console: Console, title: str, result: Comparison) -> None:
    """The stages of one backend, and its first mismatch."""
    numbers = [Column(title, right=True) for title in ("values", "mismatches", "events with mismatch")]
    show_table(console, title, ["stage", *numbers],
               [(row.stage, f"{row.n_values:,}", f"{row.n_mismatches:,}", f"{row.n_events:,}")
                for row in result.stages],
               [k for k, row in enumerate(result.stages) if row.n_mismatches])
    console.print("all bits equal" if result.equal else f"first mismatch: {result.first}")
