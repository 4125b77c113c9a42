"""The encoder's weights in the chip's registers, both ways, and weights from either kind of file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.chip import ENCODER_MUX, N_WEIGHTS, WEIGHT_BITS, Algorithm
from models.errors import InputError
from models.register_map import register_map
from models.registers import Registers
from models.shipped import find_weights
from models.spec import EncoderSpec
from models.weights import EncoderWeights


def encoder_weights(registers: Registers, spec: EncoderSpec | None = None) -> EncoderWeights:
    """The weights in these registers, for `spec` (default: the chip's own); InputError if they cannot fit it."""
    spec = spec or EncoderSpec.chip(registers.n_elinks)
    _check_fits(spec, registers.origin)
    return EncoderWeights.from_flat(spec, registers.weight_codes())


def stored_weights(registers: Registers, spec: EncoderSpec | None = None) -> EncoderWeights:
    """`encoder_weights` of a register file that is asked for them; InputError unless it sets every one.

    What a file leaves out keeps its value after reset, and the reset of the weights is a network of zeros.
    """
    weights = encoder_weights(registers, spec)
    slots = [slot.name for row in register_map().registers if row.family.startswith("AUTOENCODER")
             for slot in row.slots]
    missing = [name for name in slots if name not in registers.given]
    if missing:
        what = "sets no weight of the encoder" if len(missing) == len(slots) else (
            f"sets {len(slots) - len(missing)} of the {len(slots)} registers of the encoder's weights")
        raise InputError(f"{registers.origin}: {what}, expected {missing[0]}"
                         + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
    return weights


def with_weights(registers: Registers, weights: EncoderWeights) -> Registers:
    """A copy of the settings that holds `weights` (S1.5 codes of 2144 parameters)."""
    _check_fits(weights.spec, "weights")
    return registers.with_weight_codes(weights.flat)


def for_encoder(weights: EncoderWeights) -> Registers:
    """Settings that run `weights` on a module of high density, as in the published autoencoder vectors."""
    mask = weights.spec.ae_mask
    return with_weights(Registers.reset(), weights).with_values({
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": Algorithm.AUTOENCODER,
        "MFC_ALGORITHM_SEL_DENSITY.algo.density": 1,
        "MFC_MUX_SELECT.mux_select_*": list(ENCODER_MUX),
        "FMTBUF_ALL.config.eporttx_numen": weights.spec.n_elinks,
        "FMTBUF_ALL.mask_ae": mask & ((1 << 128) - 1),
        "FMTBUF_ALL.mask_ae2": mask >> 128,
    })


def load_weights(path: str | Path, spec: EncoderSpec | None = None) -> EncoderWeights:
    """Weights from `weights.npz` or from a register file of the chip (YAML), chosen by the suffix, or of a shipped set.

    Raises InputError if they are not for `spec`; without one they are for the spec that the file holds, or for the
    chip's own encoder on the links of the register file.

    Examples:
        >>> from models import load_weights
        >>> weights = load_weights("econ_t_2elink")  # a shipped set
        >>> weights.flat.shape, weights.spec.n_elinks
        ((2144,), 2)
    """
    path = find_weights(path)
    if _is_register_file(path):
        return stored_weights(Registers.load(path), spec)
    return EncoderWeights.load(path, spec)


def stored_mask(path: str | Path, n_elinks: int) -> int | None:
    """The output mask that a register file sets for this many links; None for other weights: it follows from the spec.

    Links that a configuration chooses instead of those of the file have the mask of that configuration.
    """
    registers = Registers.load(path) if _is_register_file(path) else None
    given = registers is not None and "FMTBUF_ALL.mask_ae" in registers.given and registers.n_elinks == n_elinks
    return registers.ae_mask if registers and given else None


def _is_register_file(path: str | Path) -> bool:
    return Path(path).suffix in (".yaml", ".yml")


def _check_fits(spec: EncoderSpec, origin: str) -> None:
    n_weights = sum(int(np.prod(shape)) for shape in spec.weight_shapes.values())
    formats = {name: form for name, form in spec.weight_formats.items()
               if (form.width, form.integer_bits, form.signed) != (WEIGHT_BITS, 1, True)}
    if n_weights != N_WEIGHTS or formats:
        odd = "".join(f", {name} in {form}" for name, form in formats.items())
        raise InputError(f"{origin}: {n_weights} weights{odd}, expected the {N_WEIGHTS} codes of S1.5 of the registers")
