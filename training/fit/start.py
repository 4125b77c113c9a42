"""What a training is initialised from: a finished run, or the encoder in a file of another program."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import encode
from models.arrays import IntArray
from models.config import DecoderConfig
from models.errors import InputError
from models.foreign.reference import latents
from models.keras_file import ImportedEncoder, import_encoder
from models.register_weights import load_weights
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.fit import ways
from training.fit.into_range import InRange, into_range
from training.fit.run import Run
from training.networks.decoder import load_decoder, options_in, trained_with
from training.results.start import WarmStart

OURS = (".npz", ".yaml", ".yml")
"""Suffixes of files that hold codes of the chip."""
MOST_MODULES = 10_000
"""Training modules on which a start is measured."""


@dataclass(frozen=True)
class EncoderFile:
    """An encoder in a file: Keras, SavedModel folder, frozen graph, weights.npz or register file."""

    path: Path
    spec: EncoderSpec

    @property
    def trained_rows(self) -> npt.NDArray[np.uint64]:
        """Keys of the modules that it was trained on: not known."""
        return np.zeros(0, dtype=np.uint64)

    @cached_property
    def imported(self) -> ImportedEncoder:
        """The encoder with what was found about it; raises InputError if the chip cannot be it."""
        if self.path.suffix not in OURS:
            return import_encoder(self.path, self.spec, approximate=True)
        weights = load_weights(self.path)
        check_alike(self.path, self.spec, weights.spec)
        return ImportedEncoder(EncoderWeights(self.spec, **weights.arrays), [])

    @property
    def fingerprint(self) -> str:
        """Digest, 16 hex digits, of all that a training takes from the file."""
        found = self.imported
        parts = [found.weights.flat.astype("<i8").tobytes(), repr(sorted(found.signed)).encode(),
                 *(np.ascontiguousarray(found.values[name], "<f8").tobytes() for name in sorted(found.values)),
                 self.decoder_file.read_bytes() if self.decoder_file else b""]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:16]

    @property
    def decoder_file(self) -> Path | None:
        """The decoder beside weights.npz that was trained with these weights, if there is one."""
        beside = Run(self.path.parent, new=True).decoder_file
        if self.path.suffix != ".npz" or not beside.exists():
            return None
        return beside if trained_with(beside) == load_weights(self.path).digest() else None

    def decoder(self, options: DecoderConfig) -> Any | None:
        """That decoder, if it has these options; else None: a training starts with a random one."""
        beside = self.decoder_file
        return load_decoder(beside, self.spec) if beside and options_in(beside) == options else None

    def in_range(self, calq: IntArray) -> InRange:
        """Its weights in the chip's range, measured on training modules (n, 48) in image order."""
        return into_range(self.imported, calq)

    def measured(self, found: InRange, trained: EncoderWeights, calq: IntArray, with_decoder: bool) -> WarmStart:
        """The encoder before, in the chip's range and after the training, each with a fresh decoder."""
        calq, spec, imported = calq[:MOST_MODULES], self.spec, self.imported
        trace = encode(imported.weights, calq, keep=["image_code", "module_sum"])
        own = latents(imported.network, trace["image_code"], spec.input) if imported.network else None
        values = {} if own is None else {"the file, its own arithmetic": ways.carried(own, spec, -np.inf)}
        steps = {"the file, codes on the chip": imported.weights, "in the chip's range": found.weights,
                 "after the training": trained}
        if found.weights is imported.weights:
            del steps["in the chip's range"]
        for name, weights in steps.items():
            values[name] = spec.latent.value(encode(weights, calq, keep=["latent_code"])["latent_code"])
        return WarmStart(
            file=str(self.path), n_modules=len(calq), signed=tuple(sorted(imported.signed)),
            filters_mirrored=found.filters_mirrored, outputs_mirrored=found.outputs_mirrored,
            explained_before=found.explained_before, explained=found.explained, with_decoder=with_decoder,
            steps=ways.STEPS, ways=tuple(ways.way(name, value, spec, calq, trace["module_sum"], ways.STEPS, own=own)
                                         for name, value in values.items()))


Start = Run | EncoderFile


def find_start(named: str | Path, spec: EncoderSpec) -> Start:
    """The run in a folder or the shipped set of this name, or the encoder in a file or SavedModel folder."""
    path = Path(named)
    return EncoderFile(path, spec) if path.is_file() or (path / "saved_model.pb").exists() else Run(named)


def check_alike(path: Path, ours: EncoderSpec, theirs: EncoderSpec) -> None:
    """Raise InputError unless two encoders have the same weights, whatever their links and arithmetic."""
    if (theirs.weight_shapes, theirs.weight_formats) != (ours.weight_shapes, ours.weight_formats):
        raise InputError(f"{path}: encoder with weights of other formats or shapes, expected one that differs "
                         "only in n_elinks and arithmetic")
