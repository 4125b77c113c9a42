"""Command `show`: one module through the algorithms of the chip, or the latents of all modules of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from models.calq_io import CalqTable, column_order, read_calq
from models.console import Column, result_console, show_table, write_csv
from models.errors import InputError, nearest
from models.options import CsvFile, JsonFile, Order
from models.trigger_cells import to_trigger_cells
from models.wording import counted
from training.commands.console import show_latents
from training.commands.wafer_text import wafers_text
from training.fit.run import Run
from training.physics.latents import latent_statistics
from training.physics.one_module import send_module
from training.physics.schemes import MIN_THRESHOLD_CALQ, Scheme, classical_schemes, load_autoencoder
from training.results.module import SentModule, Transmission

_ALGORITHMS = ("AE", "TS", "BC", "STC", "RPT", "all")


def show(
    run: Annotated[Path | None, typer.Option(help="Folder of a training run, or the name of a shipped set; AE needs "
                                                  "one.")] = None,
    input: Annotated[list[str] | None, typer.Option(help="CALQ file or folder; default: RUN/test.csv.")] = None,
    row: Annotated[int | None, typer.Option(help="Row of the module, from 0; without it, the latents of all "
                                                 "rows are shown.")] = None,
    algorithm: Annotated[list[str] | None, typer.Option(help="AE, TS, BC, STC, RPT or all; may be repeated. Default: "
                                                             "AE with --run, else all.")] = None,
    links: Annotated[int | None, typer.Option(min=1, max=13, help="Links; default: those of the run, else 5.")] = None,
    order: Order = None,
    json_: JsonFile = None,
    csv: CsvFile = None,
    output: Annotated[Path | None, typer.Option(help="Also draw the wafers: .png, .svg, .pdf, or .html with all "
                                                     "tables.")] = None,
) -> None:
    """Show one module on its way: charges, frame, latents, and what is received, on the wafer; or all latents.

    The module is sent alone, so that nothing waits in the output buffer before it. Of an algorithm with several
    variants, the one with the smallest EMD for this module is drawn.

    Examples: econ-t show --run runs/econ_t_5elink --row 17 --algorithm all --output module.html

    econ-t show --run runs/econ_t_5elink --input calq.csv
    """
    from training.report.module_page import FORMATS, write_module  # noqa: PLC0415  (Matplotlib, which --help does without)

    trained = Run(run) if run else None
    table = _modules(trained, input, order)
    console = result_console(json_, csv)
    if row is None:
        if trained is None or algorithm or links or output:
            raise InputError("--row is missing; without it, --run shows the latents of all rows, and no other option "
                             "applies but --input, --order, --json and --csv")
        found = latent_statistics(trained.weights, table.calq)
        if found is None:
            raise InputError(f"{table.source}: no modules")
        show_latents(console, found)
        if json_:
            found.save(json_)
        if csv:
            write_csv(csv, [{"latent": k} | one.model_dump(exclude={"counts"}) for k, one in enumerate(found.latents)])
        return
    if output and output.suffix not in FORMATS:
        raise InputError(f"--output {output}, expected a name that ends in {', '.join(FORMATS)}")
    module = send_module(to_trigger_cells(table.calq).astype(np.int64), row, _schemes(trained, algorithm, links),
                         table.source)
    show_module(console, module)
    if json_:
        module.save(json_)
    if csv:
        write_csv(csv, [_record(one) for one in module.transmissions])
    if output:
        write_module(module, output)


def _record(one: Transmission) -> dict[str, object]:
    """What the table has of a scheme, with every digit."""
    shown = one.model_dump(include={"scheme", "algorithm", "n_elinks", "bits", "emd", "module_sum", "detail"})
    return shown | {"received_sum": sum(one.charge)}


def _modules(run: Run | None, files: list[str] | None, order: str | None) -> CalqTable:
    if not files and run is None:
        raise InputError("nothing to show; expected --run or --input")
    if not files:
        assert run is not None
        return run.test
    return read_calq(files, column_order(order, run.config.data.order if run else "tc"))


def _schemes(run: Run | None, asked: list[str] | None, links: int | None) -> list[Scheme]:
    """The schemes of these algorithms; raises InputError for AE without a run, or with one for other links."""
    names = set(asked or (["AE"] if run else ["all"]))
    if odd := sorted(names - {*_ALGORITHMS}):
        raise InputError(f"--algorithm {odd[0]}, expected {', '.join(_ALGORITHMS)}{nearest(odd[0], _ALGORITHMS)}")
    n_elinks = links or (run.config.encoder.n_elinks if run else 5)
    if "AE" in names and run is None:
        raise InputError("--algorithm AE needs --run, a trained encoder with its decoder")
    schemes: list[Scheme] = []
    if run is not None and names & {"AE", "all"}:
        if run.config.encoder.n_elinks != n_elinks:
            raise InputError(f"--links {n_elinks}, but {run.folder} is for {run.config.encoder.n_elinks}")
        schemes.append(load_autoencoder(run))
    return schemes + [one for one in classical_schemes(n_elinks, 0, (MIN_THRESHOLD_CALQ,))
                      if names & {one.algorithm.short_name, "all"}]


def show_module(console: Console, module: SentModule) -> None:
    """Show the module, all schemes in a table, and for the best of each algorithm its frame and received map."""
    true = np.asarray(module.true)
    console.print(f"row {module.row} of {module.data}: module sum {true.sum():,} CALQ, largest cell {true.max():,}, "
                  f"{counted(int((true > 0).sum()), 'cell')} with charge")
    console.print()
    show_table(console, "what is sent and received", [
        "scheme", *(Column(title, right=True) for title in ("links", "bits", "EMD", "sum sent", "sum received")),
        Column("setting", wraps=True, optional=True)], [
        (one.scheme, str(one.n_elinks), str(one.bits), "-" if one.emd is None else f"{one.emd:.3f}",
         "-" if one.module_sum is None else f"{one.module_sum:,.0f}", f"{sum(one.charge):,.0f}", one.detail)
        for one in module.transmissions])
    console.print()
    console.print(wafers_text([("input [CALQ]", module.true, False)], console.width), soft_wrap=True)
    for one in module.best:
        console.print(f"{one.scheme}, {counted(one.n_elinks, 'link')}", style="bold")
        for line in frame_lines(one):
            console.print(line)
        console.print()
        console.print(wafers_text([
            (f"received by {one.algorithm} [CALQ]", one.charge, False),
            ("received - input [CALQ]", np.asarray(one.charge) - true, True)], console.width), soft_wrap=True)


def frame_lines(one: Transmission) -> list[str]:
    """Lines with the words on the links and the numbers of the frame; a list shows only what was sent."""
    lines = [f"words: {' '.join(one.words)}"]
    for name, value in one.fields.items():
        if isinstance(value, int):
            lines.append(f"{name}: {value}")
            continue
        whole = all(number is not None for number in value)
        shown = [str(number) if whole else f"{k}={number}" for k, number in enumerate(value) if number is not None]
        lines.append(f"{name}: {' '.join(shown) or '-'}")
    return lines
