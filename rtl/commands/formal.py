"""The command `formal`: proofs of the blocks."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from models.errors import InputError, nearest


def formal(
    only: Annotated[list[str] | None, typer.Option(help="Name of a proof; may be repeated. Default: all.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Time limit for each proof, in seconds.")] = 300,
) -> None:
    """Prove that blocks equal a second description for all inputs.

    Example: econ-t rtl formal --only "mask of 16 bits"
    """
    from rtl.mapping.proofs import PROOFS, prove  # noqa: PLC0415  (Amaranth, which --help does without)

    unknown = next((name for name in only or () if name not in PROOFS), None)
    if unknown is not None:
        raise InputError(f"--only '{unknown}', expected one of {'; '.join(PROOFS)}{nearest(unknown, PROOFS)}")
    for name, proof in ((name, PROOFS[name]) for name in only or PROOFS):
        seconds = prove(proof, timeout)
        sys.stdout.write(f"{name}: equal for all inputs ({seconds:.1f} s)\n")
