"""Command line of the models: `registers` moves weights into the chip and back, `import` reads Keras files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import InputError, one_line_errors
from models.i2c import i2c_writes
from models.register_weights import for_encoder, stored_weights, with_weights

if TYPE_CHECKING:
    from models.registers import Registers
    from models.weights import EncoderWeights

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _commands() -> None:
    """What an encoder is, and how the chip holds it."""


@app.command()
def registers(
    weights: Annotated[Path | None, typer.Option(help="weights.npz: read if --output is given, else written.")] = None,
    registers: Annotated[Path | None, typer.Option(help="Register file to start from (YAML).")] = None,
    output: Annotated[str | None, typer.Option(help="Register file to write; - is stdout.")] = None,
    i2c: Annotated[str | None, typer.Option(help="Also write the I2C writes (CSV: address,bytes).")] = None,
    config: Annotated[Path | None, typer.Option(help="Configuration of the weights, if not the chip's own.")] = None,
) -> None:
    """Weights into a register file, or out of one; exact both ways.

    In: python -m models registers --weights weights.npz --output init.yaml [--registers base.yaml] [--i2c writes.csv]
    sets up the encoder, or changes nothing but the weights of base.yaml.

    Out: python -m models registers --registers init.yaml --weights weights.npz
    """
    with one_line_errors():
        from models.registers import Registers

        if not (weights or output or i2c):
            raise InputError("nothing to write: expected --weights, --output or --i2c")
        if weights and i2c and not output:
            raise InputError(f"--weights {weights} with --i2c, to be read or to be written: expected --output too, for "
                             "the registers with these weights, or one of the two alone")
        settings = Registers.load(registers) if registers else None
        if output and weights:
            settings = _with_encoder(settings, _load(weights, config))
        if settings is None:
            raise InputError("nothing to read: expected --registers, or --weights with --output")
        if output:
            settings.save(output)
        elif weights:
            _weights_of(settings, config).save(weights)
        if i2c:
            _write_i2c(settings, i2c)


@app.command("import")
def import_(
    config: Annotated[Path, typer.Option(help="Configuration file (YAML).")],
    input: Annotated[Path, typer.Option(help="Keras or QKeras file of the encoder (.h5, .hdf5).")],
    output: Annotated[Path, typer.Option(help="weights.npz to write.")],
) -> None:
    """Quantise the encoder of a Keras file to the chip's codes and say what was rounded or clipped.

    Example: python -m models import --config configs/econ_t_5elink.yaml --input encoder.h5 --output weights.npz
    """
    with one_line_errors():
        from rich.console import Console
        from rich.table import Table

        from models.config import Config
        from models.keras_file import import_keras

        weights, report = import_keras(input, Config.load(config).encoder)
        weights.save(output)
        table = Table("array", "found as", "values", "rounded", "clipped", "largest change", title=str(input))
        for row in report:
            table.add_row(row.name, row.source, str(row.n_values), str(row.n_rounded), str(row.n_clipped),
                          f"{row.largest_change:.6g}")
        Console().print(table)


def _load(path: Path, config: Path | None) -> EncoderWeights:
    """Weights of a configuration; without one, of the chip's own encoder with the link count of the file."""
    from models.chip import MAX_ELINKS
    from models.register_weights import load_weights
    from models.spec import EncoderSpec

    if config:
        from models.config import Config

        return load_weights(path, Config.load(config).encoder)
    # 5 links first: they carry all bits, which is what a file without a digest gets.
    problem = None
    for n_elinks in sorted(range(2, MAX_ELINKS + 1), key=lambda n: n != 5):
        try:
            return load_weights(path, EncoderSpec.chip(n_elinks))
        except InputError as error:
            problem = problem or error
    raise InputError(f"{problem} (--config names it)")


def _with_encoder(base: Registers | None, weights: EncoderWeights) -> Registers:

    if weights.spec.arithmetic != "chip":
        logging.getLogger(__name__).warning(
            "these weights are for exact products; the chip cuts each product before it adds, its latents will differ"
        )
    return with_weights(base, weights) if base else for_encoder(weights)


def _weights_of(settings: Registers, config: Path | None) -> EncoderWeights:
    if config is None:
        return stored_weights(settings)
    from models.config import Config

    return stored_weights(settings, Config.load(config).encoder)


def _write_i2c(settings: Registers, path: str) -> None:
    from models.files import write_text

    rows = [f"0x{address:04x},{data.hex()}" for address, data in i2c_writes(settings)]
    write_text(path, "\n".join(["address,bytes", *rows]) + "\n")


if __name__ == "__main__":
    app()
