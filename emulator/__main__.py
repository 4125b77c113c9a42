"""Command line of the emulator: `python -m emulator encode ...`, `chip`, `decode`, `verify`, `figures`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import typer

from emulator.encoder import encode as run_encoder
from emulator.trace import STAGES
from models.errors import one_line_errors

if TYPE_CHECKING:
    from rich.console import Console

    from emulator.verify import Mismatch, SetResult

_Step = TypeVar("_Step")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _commands() -> None:
    """The chip in integers: the encoder alone, or the whole data path."""


@app.command()
def encode(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    input: Annotated[str, typer.Option(help="CALQ file (CSV, Parquet) or folder; - is stdin.")],
    output: Annotated[str, typer.Option(help="Latents (CSV, Parquet); - is stdout.")],
    trace: Annotated[Path | None, typer.Option(help="Also write every stage to this .npz file.")] = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
) -> None:
    """Encode module charges to latents.

    Example: python -m emulator encode --config configs/econ_t_5elink.yaml
    --weights runs/econ_t_5elink/weights.npz --input calq.csv --output latent.csv
    """
    with one_line_errors():
        from models.calq_io import column_order, read_calq, write_latents
        from models.config import Config
        from models.files import atomic_path
        from models.register_weights import load_weights

        chosen = Config.load(config)
        codes = load_weights(weights, chosen.encoder)
        table = read_calq(input, column_order(order, chosen.data.order))
        stages = run_encoder(codes, table.calq, keep=STAGES if trace else ["latent_code"])
        if trace:
            content: dict[str, Any] = {"digest": np.array(chosen.encoder.digest()), **stages}
            with atomic_path(trace) as temporary, temporary.open("wb") as file:
                np.savez(file, **content)
        write_latents(output, stages["latent_code"])


RegisterFile = Annotated[Path, typer.Option(help="Register file of the chip (YAML).")]
FirstBx = Annotated[int, typer.Option(min=0, help="Number of the first bunch crossing; 0 starts an orbit.")]


@app.command()
def chip(
    registers: RegisterFile,
    input: Annotated[str, typer.Option(help="eRx words (CSV, RX_DATA_0..11); - is stdin.")],
    output: Annotated[str, typer.Option(help="eTx words (CSV, TX_DATA_0..12); - is stdout.")],
    first_bx: FirstBx = 0,
) -> None:
    """Run the whole chip, from input links to output links.

    Example: python -m emulator chip --registers init.yaml --input testInput.csv --output etx.csv
    """
    with one_line_errors():
        from emulator.chip import EconT
        from emulator.links import ERX, ETX, open_output

        econ_t = EconT.from_yaml(registers)
        with open_output(output) as file:
            file.write(ETX.header())
            for frames in _with_progress(econ_t.stream(ERX.read(input), first_bx)):
                file.write(ETX.rows(frames.etx))


@app.command()
def decode(
    registers: RegisterFile,
    input: Annotated[str, typer.Option(help="eTx words (CSV, TX_DATA_0..12); - is stdin.")],
    output: Annotated[str, typer.Option(help="Fields of each frame (CSV); - is stdout.")],
    first_bx: FirstBx = 0,
) -> None:
    """Read frames back: BX counter, sums, addresses, charges or latents, and charges in CALQ, one row per frame.

    A number that a frame does not carry is left empty. Charges stand in the order after the mux.
    Example: python -m emulator decode --registers init.yaml --input testOutput.csv --output fields.csv
    """
    with one_line_errors():
        from emulator.decoding import decode_stream
        from emulator.links import ETX, open_output
        from models.errors import InputError
        from models.registers import Registers

        chunks = decode_stream(Registers.load(registers), ETX.read(input), first_bx)
        with open_output(output) as file:
            bx = first_bx
            try:
                for decoded in _with_progress(chunks):
                    if bx == first_bx:
                        file.write(",".join(["bx", *decoded.column_names()]) + "\n")
                    for row in decoded.rows():
                        file.write(f"{bx},{','.join(row)}\n")
                        bx += 1
            except InputError as error:
                raise error if str(error).startswith(input) else InputError(f"{input}: {error}") from None


@app.command()
def verify(
    folders: Annotated[list[Path], typer.Argument(help="Vector sets, or folders that hold some.")],
) -> None:
    """Compare the emulator with published test vectors, bit by bit.

    A set is a folder with init.yaml and testOutput.csv, and testInput.csv beside them or one folder up.
    Exits with 1 if a bit differs. Example: python -m emulator verify econt_vectors
    """
    with one_line_errors():
        from emulator.verify import find_sets, verify_sets

        results = list(_with_progress(verify_sets(find_sets(folders))))
        _show(results)
    if not all(result.exact for result in results):
        raise SystemExit(1)


@app.command()
def figures(output: Annotated[Path, typer.Option(help="Folder for one SVG per frame format.")]) -> None:
    """Draw the frame formats from the table that packs them.

    Example: python -m emulator figures --output docs/frames
    """
    with one_line_errors():
        from emulator.figures import figures as all_figures
        from emulator.figures import svg
        from models.files import write_text

        for figure in all_figures():
            write_text(output / f"{figure.name}.svg", svg(figure))


def _with_progress(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Pass steps on, showing how many there were if someone watches."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.completed} {task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("done")
        for step in steps:
            yield step
            progress.advance(task)


def _show(results: list[SetResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table("set", "algorithm", "links", "frames", "exact", "first mismatch", title="emulator = chip?")
    for result in results:
        name = f"{result.folder.parent.name}/{result.folder.name}"
        table.add_row(name, result.algorithm, str(result.n_elinks), str(result.n_frames), str(result.n_exact),
                      str(result.first or ""), style=None if result.exact else "red")
    console.print(table)
    for result in results:
        if result.first:
            _show_mismatch(console, result.folder, result.first)
    n_exact, n_frames = sum(r.n_exact for r in results), sum(r.n_frames for r in results)
    console.print(f"{n_exact} of {n_frames} frames exact in {len(results)} sets", highlight=False)


def _show_mismatch(console: Console, folder: Path, first: Mismatch) -> None:
    from rich.table import Table

    frame = "" if first.frame_bx is None else f", frame of BX {first.frame_bx}"
    table = Table("", "expected", "found", title=f"{folder.parent.name}/{folder.name}: BX {first.bx}{frame}")
    for row in (*first.words, *first.fields):
        table.add_row(row.name, row.expected, row.found, style="red" if row.expected != row.found else None)
    console.print(table)


if __name__ == "__main__":
    app()
