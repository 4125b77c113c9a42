"""The command `decode`: frames to fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from emulator.capture.align import Aligned, align
from emulator.capture.lanes import given_lanes
from emulator.commands.capture_report import aligned_capture, show_alignment
from emulator.commands.options import FirstBx
from emulator.commands.progress import with_progress
from emulator.decoding import decode_stream
from emulator.formatter import Decoded
from emulator.links import ETX, open_output
from models.console import result_console
from models.errors import InputError
from models.options import ChipRevision, JsonFile, RegisterFile
from models.registers import Registers
from models.wording import counted


def decode(
    registers: RegisterFile,
    input: Annotated[str, typer.Option(help="eTx words (CSV, TX_DATA_0..12); - is stdin.")],
    output: Annotated[str, typer.Option(help="Fields of each frame (CSV); - is stdout.")],
    first_bx: FirstBx = 0,
    revision: ChipRevision = None,
    align_: Annotated[bool, typer.Option("--align", help="Read a capture as a test stand records it: find its orbits, "
                                                         "gaps and links.")] = False,
    links: Annotated[str | None, typer.Option(help="--align: columns of links 0, 1, .., such as 2,0,1; default: "
                                                   "found.")] = None,
    inverted: Annotated[str | None, typer.Option(help="--align: inverted columns of --links, such as 0,1.")] = None,
    json_: JsonFile = None,
) -> None:
    """Read frames back: BX counter, sums, addresses, charges or latents, and charges in CALQ, one row per frame.

    A number that a frame does not carry is left empty, and so is a frame of which the output buffer lost words.
    Charges stand in the order after the mux.

    With --align a capture may start anywhere, lack rows, hold several orbits, idle and damaged rows, and have its links
    in another order or inverted; what was found is printed. A row that cannot be read is left empty.

    Examples: econ-t chip decode --registers init.yaml --input testOutput.csv --output fields.csv

    econ-t chip decode --align --registers init.yaml --input capture.csv --output fields.csv
    """
    settings = Registers.load(registers, revision)
    if align_:
        if first_bx:
            raise InputError(f"--first-bx {first_bx} with --align, which finds it; expected one of the two")
        _decode_capture(settings, input, output, links, inverted, json_)
        return
    for name, value in (("--links", links), ("--inverted", inverted), ("--json", json_)):
        if value is not None:
            raise InputError(f"{name} needs --align")
    chunks, n_lost = decode_stream(settings, ETX.read(input), first_bx), 0
    with open_output(output) as file:
        bx, header = first_bx, ""
        try:
            for decoded in with_progress(chunks):
                n_lost += decoded.n_lost
                if not header:  # the first pieces can be without a frame, as words wait in the buffer
                    header = _header(decoded)
                    file.write(header)
                file.writelines(_lines(decoded, range(bx, bx + len(decoded))))
                bx += len(decoded)
        except InputError as error:
            raise _about(input, error) from None
    typer.echo(f"{settings.summary()}: {bx - first_bx} frames", err=True)
    if n_lost:
        typer.echo(f"{counted(n_lost, 'frame')} could not be read: the output buffer lost words "
                   f"(buff_t1 = {settings.buffer_thresholds[0]})", err=True)


def _decode_capture(
    settings: Registers, input: str, output: str, links: str | None, inverted: str | None, json_: str | None
) -> None:
    if json_ == output == "-":
        raise InputError("--output - and --json -: both on stdout, expected a file for one of them")
    lanes = given_lanes(settings.n_elinks, _numbers("--links", links), _numbers("--inverted", inverted) or ())
    etx = ETX.read_all(input)
    try:
        found = align(settings, etx, lanes)
    except InputError as error:
        raise _about(input, error) from None
    _write(found, output)
    summary = aligned_capture(input, found, len(etx))
    show_alignment(result_console(output, json_), summary)
    if json_:
        summary.save(json_)


def _write(found: Aligned, output: str) -> None:
    with open_output(output) as file:
        file.write(_header(found.decoded))
        file.writelines(_lines(found.decoded, found.bx.tolist()))


def _header(decoded: Decoded) -> str:
    return ",".join(["bx", *decoded.column_names()]) + "\n"


def _lines(decoded: Decoded, bx: Iterable[int]) -> Iterator[str]:
    for number, row in zip(bx, decoded.rows(), strict=True):
        yield f"{number},{','.join(row)}\n"


def _about(input: str, error: InputError) -> InputError:
    return error if str(error).startswith(input) else InputError(f"{input}: {error}")


def _numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    """Numbers with commas between them."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,2}(,\d{1,2})*", text):
        raise InputError(f"{option} {text}, expected numbers of columns such as 2,0,1")
    return tuple(map(int, text.split(",")))


