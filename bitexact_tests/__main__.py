"""Command line of the proof: `python -m bitexact_tests compare ...` runs one file through emulator and HLS."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from models.comparison import Comparison
from models.config import Config
from models.errors import one_line_errors
from models.files import write_text

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _commands() -> None:
    """Bits are equal or the build is red."""


@app.command()
def compare(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    input: Annotated[list[str], typer.Option(help="CALQ file (CSV, Parquet) or folder; may be repeated.")],
    backend: Annotated[list[str] | None, typer.Option(help="vitis or catapult; may be repeated.")] = None,
    output: Annotated[Path | None, typer.Option(help="Also write the table as JSON.")] = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
) -> None:
    """Run every event through the emulator and the HLS C++ and compare each stage bit by bit.

    Exits with 1 if a bit differs. Example: python -m bitexact_tests compare --config configs/econ_t_5elink.yaml
    --weights runs/econ_t_5elink/weights.npz --input runs/econ_t_5elink/test.csv --backend vitis --backend catapult
    """
    with one_line_errors():
        from emulator import encode
        from hls.csim import run_csim
        from models.calq_io import column_order, read_calq
        from models.weights import load_weights

        chosen = Config.load(config)
        codes = load_weights(weights, chosen.encoder)
        calq = read_calq(input, column_order(order, chosen.data.order)).calq
        reference = encode(chosen.encoder, codes, calq)
        results = {}
        for name in backend or [chosen.hls.backend]:
            results[name] = compare_with(chosen, calq, reference, run_csim(chosen, codes, calq, backend=name), name)
        if output:
            write_text(output, json.dumps(_summary(chosen, len(calq), results), indent=1) + "\n")
    if not all(result.equal for result in results.values()):
        raise SystemExit(1)


def compare_with(config: Config, calq: Any, reference: Any, found: Any, backend: str) -> Comparison:
    """Compare one backend with the emulator and show the table and the first mismatch."""
    from rich.console import Console
    from rich.table import Table

    from models.comparison import compare_stages

    result = compare_stages(config.encoder, calq, reference, found)
    console = Console()
    table = Table("stage", "values", "mismatches", "events with mismatch",
                  title=f"{config.name}: emulator = HLS csim ({backend})? {len(calq)} events")
    for row in result.stages:
        style = "red" if row.n_mismatches else None
        table.add_row(row.stage, str(row.n_values), str(row.n_mismatches), str(row.n_events), style=style)
    console.print(table)
    console.print("all bits equal" if result.equal else f"first mismatch: {result.first}", highlight=False)
    return result


def _summary(config: Config, n_events: int, results: dict[str, Comparison]) -> dict[str, Any]:
    return {
        "config": config.name,
        "digest": config.encoder.digest(),
        "arithmetic": config.encoder.arithmetic,
        "n_events": n_events,
        "backends": {
            name: {
                "equal": result.equal,
                "stages": [asdict(row) for row in result.stages],
                "first_mismatch": str(result.first) if result.first else None,
            }
            for name, result in results.items()
        },
    }


if __name__ == "__main__":
    app()
