"""Command `size`: how big an encoder and its decoders are, and how fast."""

from __future__ import annotations

from models.command_line import to_paste
from models.console import Column, result_console, show_table, write_csv
from models.options import CsvFile, JsonFile
from models.wording import split_command
from training.commands.options import RunFolder
from training.fit.run import Run


def size(run: RunFolder, json_: JsonFile = None, csv: CsvFile = None) -> None:
    """How big, how fast: gates, look-up tables and latency of the encoder, and what its decoders take.

    Takes seconds: estimates come from open tools, and what other commands measured in the run stands beside them. The
    report shows RUN/size.json.

    Example: econ-t size --run runs/econ_t_5elink --json runs/econ_t_5elink/size.json
    """
    from training.report.hardware import hardware  # noqa: PLC0415  (Matplotlib, which --help does without)
    from training.report.hardware_section import answer  # noqa: PLC0415
    from training.studies.size import size as size_of  # noqa: PLC0415

    chosen = Run(run)
    found = size_of(chosen)
    shown = hardware(chosen, found)
    console = result_console(json_, csv)
    for line in answer(shown):
        console.print(line)
    console.print()
    rows = [*shown.implementations, *(row for decoder in found.decoders for row in decoder.implementations)]
    # A cell would break the lines of a command.
    tools = [split_command(row.tool) for row in rows]
    show_table(console, f"{found.config}: implementations", [Column(title, wraps=True) for title in (
        "implementation", "values", "tool")], [
        (row.name, row.summary(), f"{tool}: command below" if command else tool)
        for row, (tool, command) in zip(rows, tools, strict=True)])
    for row, (why, command) in zip(rows, tools, strict=True):
        if command:
            console.print(f"\n# {row.name}: {why}", soft_wrap=True)
            console.print(to_paste(command), soft_wrap=True)
    console.print()
    right = [Column(title, right=True) for title in ("multiply-accumulates", "parameters")]
    show_table(console, "decoders", ["decoder", *right, Column("arithmetic", wraps=True)], [
        (one.name, f"{one.macs:,}", f"{one.parameters:,}", one.arithmetic) for one in found.decoders])
    if json_:
        found.save(json_)
    if csv:
        write_csv(csv, [row.model_dump() for row in rows])
