"""The command `registers`: weights into the chip's registers and back."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from models.chip import Revision
from models.command_line import lazy_app
from models.config import Config
from models.configured import load_configured
from models.dialects import Dialect
from models.errors import InputError
from models.files import check_replaced
from models.i2c import save_i2c
from models.options import Force, WeightsConfig
from models.register_weights import for_encoder, stored_weights, with_weights
from models.registers import Registers
from models.weights import EncoderWeights


def registers(
    context: typer.Context,
    weights: Annotated[Path | None, typer.Option(help="weights.npz: read if --output is given, else written.")] = None,
    registers: Annotated[Path | None, typer.Option(help="Register file to start from (YAML).")] = None,
    output: Annotated[str | None, typer.Option(help="Register file to write; - is stdout.")] = None,
    i2c: Annotated[str | None, typer.Option(help="Also write the I2C writes of P1 (CSV: address,bytes).")] = None,
    config: WeightsConfig = None,
    force: Force = False,
    dialect: Annotated[Dialect | None, typer.Option(help="Dialect of --output; default: that of --registers, else "
                                                         "p1-nested.")] = None,
) -> None:
    """Move weights into a register file or out of one, exact both ways; or convert a file.

    With --output the weights go in: a file that sets up the encoder, or with --registers one that differs in the
    weights alone. Without it they come out, into --weights.

    Examples: econ-t registers --weights weights.npz --output init.yaml --i2c writes.csv

    econ-t registers --registers init.yaml --weights weights.npz
    """
    if context.invoked_subcommand:
        if odd := next((name for name, value in context.params.items() if value not in (None, False)), None):
            raise InputError(f"--{odd} must follow {context.invoked_subcommand}, not precede it")
        return
    if not (weights or output or i2c):
        raise InputError("nothing to write: expected --weights, --output or --i2c")
    if weights and i2c and not output:
        raise InputError(f"--weights {weights} with --i2c, to be read or to be written: expected --output too, for "
                         "the registers with these weights, or one of the two alone")
    if dialect and not output:
        raise InputError(f"--dialect {dialect} is about --output, which is missing")
    settings = Registers.load(registers) if registers else None
    if output and weights:
        settings = _with_encoder(settings, load_configured(weights, config)[1])
    if settings is None:
        raise InputError("nothing to read: expected --registers, or --weights with --output")
    if output:
        settings.save(output, dialect)
    elif weights:
        check_replaced(weights, force)
        stored_weights(settings, Config.load(config).encoder if config else None).save(weights)
    if i2c:
        save_i2c(settings, i2c)
        if (dialect.revision if dialect else settings.revision) is Revision.PRODUCTION:
            typer.echo(f"{i2c} has the addresses of P1: those of the production chip are not public", err=True)


COMMANDS = {"convert": ("models.commands.convert:convert", "A register file in another dialect.")}
app = lazy_app(registers.__doc__, COMMANDS, options=registers, runs=True)


def _with_encoder(base: Registers | None, weights: EncoderWeights) -> Registers:
    if weights.spec.arithmetic != "chip":
        logging.getLogger(__name__).warning(
            "these weights are for exact products; the chip cuts each product before it adds, its latents will differ"
        )
    return with_weights(base, weights) if base else for_encoder(weights)
