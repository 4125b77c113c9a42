"""Audit of an encoder from elsewhere: what it sends in its own arithmetic and what is left of it on the chip.

Each way of computing its latents is decoded by a decoder of its own, trained for a short time on half of the modules,
or by a given one; the EMD is that of the other half.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emulator import encode
from models.calq_io import CalqTable
from models.errors import InputError
from models.foreign.reference import latents
from models.keras_file import ImportedEncoder, import_encoder
from models.register_weights import load_weights
from models.spec import EncoderSpec
from training.fit.ways import STEPS, carried, way
from training.networks.decoder import load_decoder
from training.results.audit import Audit

_OURS = (".npz", ".yaml", ".yml")
_UNTRAINED = "looks untrained"
_FEWEST = 20


def audit(
    file: Path, spec: EncoderSpec, modules: CalqTable, *, decoder: Path | None = None, steps: int = STEPS,
    architecture: Path | None = None,
) -> Audit:
    """Audit the encoder in a file: of Keras, a frozen graph, a SavedModel, a register file, or weights.npz.

    `decoder`: a decoder of this project; default: a fresh one per way. Raises InputError if the file holds no encoder
    that the chip can be, or if there are too few modules.
    """
    calq = modules.calq[modules.calq.any(axis=1)]
    if len(calq) < _FEWEST:
        raise InputError(f"{modules.source}: {len(calq)} modules with charge, expected at least {_FEWEST}")
    imported = _read(file, spec, architecture)
    trace = encode(imported.weights, calq, keep=["module_sum", "image_code", "latent_code"])
    known = load_decoder(decoder, spec) if decoder else None
    ways, own = {}, None
    if imported.network is not None:
        own = latents(imported.network, trace["image_code"], spec.input)
        ways["its own arithmetic"] = carried(own, spec, least=-np.inf)
        ways["negatives cut"] = carried(own, spec, least=0.0)
    ways["the chip's integers"] = spec.latent.value(trace["latent_code"])
    untrained = next((line for line in imported.warnings if line.startswith(_UNTRAINED)), None)
    return Audit(
        file=str(file), data=modules.source, n_modules=len(calq),
        decoder=str(decoder) if decoder else f"fresh, {steps} steps", untrained=untrained,
        differences=tuple(line for line in imported.warnings if line != untrained), notes=tuple(imported.notes),
        ways=tuple(way(name, value, spec, calq, trace["module_sum"], steps, own=own, known=known)
                   for name, value in ways.items()))


def _read(file: Path, spec: EncoderSpec, architecture: Path | None) -> ImportedEncoder:
    if file.suffix in _OURS:
        return ImportedEncoder(load_weights(file, spec), [], [f"codes of the chip, {file.suffix[1:]}"])
    return import_encoder(file, spec, architecture, approximate=True)
