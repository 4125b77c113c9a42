"""One module on its way: through the chip with the settings of a scheme, over the links, and back to a charge map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emulator.fields import ABSENT
from models.arrays import IntArray
from models.chip import LINK_BITS
from models.errors import InputError
from training.physics.emd import emd
from training.physics.schemes import Scheme
from training.results.module import SentModule, Transmission


def send_module(calq: IntArray, row: int, schemes: Sequence[Scheme], data: str = "") -> SentModule:
    """Send one row of charges (n, 48) in trigger-cell order through each scheme; raises InputError without such a row.

    It is sent alone: a TS frame that others would have to wait for has the buffer for itself.
    """
    if not 0 <= row < len(calq):
        raise InputError(f"--row {row}, expected 0..{len(calq) - 1}, the rows of {data}")
    return SentModule(data=data, row=row, true=tuple(calq[row].tolist()),
                      transmissions=tuple(_transmission(calq[row : row + 1], scheme) for scheme in schemes))


def _transmission(module: IntArray, scheme: Scheme) -> Transmission:
    received, (frames, decoded) = scheme.run(module), scheme.frames(module)
    n_elinks = scheme.registers.n_elinks
    bits = int(received.bits[0])
    n_bx = -(-bits // (LINK_BITS * n_elinks))
    charge = received.charge if received.charge.any() else np.ones_like(received.charge)
    distance = float(emd(module, charge, n_processes=1)[0])
    module_sum = float(received.module_sum[0])
    return Transmission(
        scheme=scheme.name, algorithm=scheme.algorithm.short_name, n_elinks=scheme.n_elinks, detail=scheme.detail,
        bits=bits, words=tuple(f"{word:08x}" for word in frames[:n_bx, :n_elinks].ravel().tolist()),
        fields={name: _numbers(column[0]) for name, column in decoded.columns.items()},
        module_sum=module_sum, latent=None if received.latent is None else tuple(received.latent[0].tolist()),
        charge=tuple(received.charge[0].tolist()), emd=distance)


def _numbers(values: IntArray) -> int | tuple[int | None, ...]:
    """One field of a frame."""
    if np.ndim(values) == 0:
        return int(values)
    return tuple(None if value == ABSENT else value for value in np.asarray(values).tolist())
