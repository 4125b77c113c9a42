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
from models.arrays import FloatArray, IntArray
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
from training.fit.start_decoder import read_start_decoder
from training.fit.trainer import Trainer
from training.networks.conditions import Columns
from training.networks.decoder_file import options_in, trained_with
from training.networks.decoding import decode, load_decoder
from training.networks.foreign_decoder import read_decoder
from training.production.condition_columns import condition_columns
from training.results.start import AFTER, CODES, IN_RANGE, OWN, WITH_DECODER, WarmStart

OURS = (".npz", ".yaml", ".yml")
"""Suffixes of files that hold codes of the chip."""
MOST_MODULES = 10_000
"""Validation modules on which a start is measured, and training modules that fresh decoders learn from."""


@dataclass(frozen=True)
class EncoderFile:
    """An encoder in a file: Keras, SavedModel folder, frozen graph, weights.npz or register file."""

    path: Path
    spec: EncoderSpec
    given_decoder: Path | None = None
    """File of its decoder, of Keras, a frozen graph or decoder.npz."""

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
        """The decoder that was given, or the one beside weights.npz that was trained with these weights."""
        if self.given_decoder:
            return self.given_decoder
        beside = Run(self.path.parent, new=True).decoder_file
        if self.path.suffix != ".npz" or not beside.exists():
            return None
        return beside if trained_with(beside) == load_weights(self.path).digest() else None

    def check(self, options: DecoderConfig) -> None:
        """Raise InputError if the encoder cannot be read, or if a decoder was given that has not these options."""
        self.imported  # noqa: B018  (reads the file)
        if self.given_decoder:
            read_start_decoder(self.given_decoder, self.spec, options)

    def decoder(self, options: DecoderConfig, found: InRange) -> Any | None:
        """Its decoder, if it has these options; else None: a training starts with a random one.

        `found`: the encoder in range, whose latents the first layer of a decoder from elsewhere is turned to.
        """
        if self.given_decoder:
            return read_start_decoder(self.given_decoder, self.spec, options, found.back)
        beside = self.decoder_file
        return load_decoder(beside, self.spec) if beside and options_in(beside) == options else None

    def in_range(self, calq: IntArray) -> InRange:
        """Its weights in the chip's range, measured on training modules (n, 48) in image order."""
        return into_range(self.imported, calq)

    def measured(self, found: InRange, trainer: Trainer, initial: Any | None) -> WarmStart:
        """The encoder before, in the chip's range and after the training, on validation modules.

        Each has a fresh decoder, trained on training modules; if a decoder was given, each is also with that one.
        `initial`: the decoder that the training began with, if it was not a random one.
        """
        spec, imported, dataset = self.spec, self.imported, trainer.dataset
        train, validation = (part.rows(slice(0, MOST_MODULES)) for part in (dataset.train, dataset.validation))
        calq, n_fresh = np.concatenate([train.calq, validation.calq]), len(train.calq)
        trace = encode(imported.weights, calq, keep=["image_code", "module_sum"])
        own = latents(imported.network, trace["image_code"], spec.input) if imported.network else None
        values = {} if own is None else {OWN: ways.carried(own, spec, -np.inf)}
        steps = {CODES: imported.weights, IN_RANGE: found.weights, AFTER: trainer.encoder.codes()}
        if found.weights is imported.weights:
            del steps[IN_RANGE]
        for name, weights in steps.items():
            values[name] = spec.latent.value(encode(weights, calq, keep=["latent_code"])["latent_code"])
        measured = [ways.way(name, value, spec, calq, trace["module_sum"], ways.STEPS, own=own, n_fresh=n_fresh)
                    for name, value in values.items()]
        if self.given_decoder and initial:
            columns = condition_columns(validation.extra)
            decoders = self._decoders(initial, trainer.decoder, trace["module_sum"][n_fresh:], columns)
            for name, known in decoders.items():
                if name in values:
                    measured.append(ways.way(name + WITH_DECODER, values[name], spec, calq, trace["module_sum"],
                                             ways.STEPS, own=own, known=known, n_fresh=n_fresh))
        return WarmStart(
            file=str(self.path), n_modules=len(validation.calq), signed=tuple(sorted(imported.signed)),
            filters_mirrored=found.filters_mirrored, outputs_mirrored=found.outputs_mirrored,
            explained_before=found.explained_before, explained=found.explained, with_decoder=initial is not None,
            decoder=str(self.given_decoder) if self.given_decoder else None, steps=ways.STEPS, ways=tuple(measured))

    def _decoders(
        self, initial: Any, trained: Any, module_sum: IntArray, columns: Columns
    ) -> dict[str, ways.KnownDecoder]:
        """The decoder that was given by the way that it belongs to: as it is, as it begins, and as it was trained."""
        assert self.given_decoder

        foreign = read_decoder(self.given_decoder) if self.given_decoder.suffix != ".npz" else None

        def ours(model: Any) -> ways.KnownDecoder:
            return lambda value, _: decode(model, value, module_sum, columns)

        def as_it_is(value: FloatArray, _: slice) -> FloatArray:
            return foreign.fractions(value, module_sum, columns) if foreign else ours(initial)(value, _)

        return {OWN: as_it_is, CODES: as_it_is, IN_RANGE: ours(initial), AFTER: ours(trained)}


Start = Run | EncoderFile


def find_start(named: str | Path, spec: EncoderSpec, decoder: str | Path | None = None) -> Start:
    """The run in a folder or the shipped set of this name, or the encoder in a file or SavedModel folder.

    `decoder`: file of the decoder of such an encoder; raises InputError for that of a run.
    """
    path = Path(named)
    if path.is_file() or (path / "saved_model.pb").exists():
        return EncoderFile(path, spec, Path(decoder) if decoder else None)
    if decoder:
        raise InputError(f"{decoder}: the run or set {named} has a decoder of its own; expected the file of an encoder")
    return Run(named)


def check_alike(path: Path, ours: EncoderSpec, theirs: EncoderSpec) -> None:
    """Raise InputError unless two encoders have the same weights, whatever their links and arithmetic."""
    if (theirs.weight_shapes, theirs.weight_formats) != (ours.weight_shapes, ours.weight_formats):
        raise InputError(f"{path}: encoder with weights of other formats or shapes, expected one that differs "
                         "only in n_elinks and arithmetic")
