"""Audit of an encoder from elsewhere: what it sends in its own arithmetic and what is left of it on the chip.

Each way of computing its latents is decoded by a decoder of its own, trained for a short time on half of the modules,
or by a given one; the EMD is that of the other half.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import encode
from models.arrays import IntArray
from models.calq_io import CalqTable
from models.config import CONDITIONS
from models.errors import InputError
from models.foreign.reference import latents
from models.keras_file import ImportedEncoder, import_encoder
from models.register_weights import load_weights
from models.spec import EncoderSpec
from training.fit.ways import STEPS, KnownDecoder, carried, way
from training.networks.decoder_file import options_in
from training.networks.decoding import decode, load_decoder
from training.networks.foreign_decoder import N_LATENTS, ForeignDecoder, checked, read_decoder, read_foreign_decoder
from training.physics.software import FrozenGraph
from training.production.condition_columns import condition_columns, missing_conditions
from training.results.audit import Audit

_OURS = (".npz", ".yaml", ".yml")
_UNTRAINED = "looks untrained"
_FEWEST = 20


def audit(
    file: Path, spec: EncoderSpec, modules: CalqTable, *, decoder: Path | None = None, steps: int = STEPS,
    architecture: Path | None = None, run: bool = False,
) -> Audit:
    """Audit the encoder in a file: of Keras, a frozen graph, a SavedModel, a pickle, a register file, or weights.npz.

    `decoder`: of this project (.npz), of Keras (.h5, .keras), or a frozen graph, which TensorFlow runs with `run`;
    default: a fresh one per way. Raises InputError if the file holds no encoder that the chip can be, if a decoder does
    not fit, or if there are too few modules.
    """
    modules = modules.rows(np.flatnonzero(modules.calq.any(axis=1)))
    calq = modules.calq
    if len(calq) < _FEWEST:
        raise InputError(f"{modules.source}: {len(calq)} modules with charge, expected at least {_FEWEST}")
    imported = _read(file, spec, architecture)
    trace = encode(imported.weights, calq, keep=["module_sum", "image_code", "latent_code"])
    known, told = _known(decoder, run, spec, modules, trace["module_sum"]) if decoder else (None, ())
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
        differences=tuple(line for line in imported.warnings if line != untrained), notes=(*imported.notes, *told),
        ways=tuple(way(name, value, spec, calq, trace["module_sum"], steps, own=own, known=known)
                   for name, value in ways.items()))


def _known(
    path: Path, run: bool, spec: EncoderSpec, modules: CalqTable, module_sum: IntArray
) -> tuple[KnownDecoder, tuple[str, ...]]:
    """The decoder in a file, and what has to be said of it."""
    columns = condition_columns(modules.extra)

    def seen(rows: slice) -> dict[str, npt.NDArray[Any]]:
        return {name: column[rows] for name, column in columns.items()}

    if path.suffix == ".npz":
        options, model = options_in(path), load_decoder(path, spec)
        told = _told(missing_conditions(options.conditions, columns) if options else [])
        return lambda value, rows: decode(model, value, module_sum[rows], seen(rows)), told
    if path.suffix == ".pb":
        foreign = _of_graph(path, run)
    else:
        foreign = read_foreign_decoder(path)
    if spec.dense.outputs != N_LATENTS:
        raise InputError(f"{path}: decoder of {N_LATENTS} latents, expected {spec.dense.outputs}")
    told = _told(missing_conditions(CONDITIONS, columns) if foreign.width > N_LATENTS else [])
    return lambda value, rows: foreign.fractions(value, module_sum[rows], seen(rows)), (*foreign.notes, *told)


def _of_graph(path: Path, run: bool) -> ForeignDecoder:
    """The decoder of a frozen graph: its nodes read as data, or the graph itself in TensorFlow with `run`."""
    if run:
        graph = FrozenGraph(path)
        return checked(path, ForeignDecoder(int(np.prod(graph.input_shape[1:])), graph.run))
    try:
        return read_decoder(path)
    except InputError as error:
        raise InputError(f"{error}; --run runs the graph") from None


def _told(missing: list[str]) -> tuple[str, ...]:
    return (f"decoder: sees 0 as {', '.join(missing)}, which these modules do not have",) if missing else ()


def _read(file: Path, spec: EncoderSpec, architecture: Path | None) -> ImportedEncoder:
    if file.suffix in _OURS:
        return ImportedEncoder(load_weights(file, spec), [], [f"codes of the chip, {file.suffix[1:]}"])
    return import_encoder(file, spec, architecture, approximate=True)
