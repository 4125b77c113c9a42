"""Compact decoders of a trained encoder, each within a number of multiply-accumulates.

An interrupted training resumes, and a finished one is recognised by its fingerprint and not repeated. What `econ-t rtl
decoder` found of a decoder, in the folder of its name, becomes part of the result.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models import shipped
from models.arrays import IntArray
from models.calq_io import CalqTable
from models.compact_decoder import CompactDecoder, CompactSpec
from models.config import Config
from models.errors import InputError
from models.hardware import Implementation
from models.qkeras_decoder import get_weights
from rtl.results import ConstantSynthesis
from training.data.dataset import Dataset
from training.fit.checkpoint import Checkpoint
from training.fit.distiller import Distiller
from training.fit.run import Run, locked
from training.fit.trainer import EpochReport
from training.losses.find import learned_digests
from training.networks.decoder_file import n_macs, read_decoder
from training.networks.decoding import load_decoder
from training.physics.evaluation import evaluate, shown
from training.results.distillation import CompactPoint, Distillation, Teacher

# isort: split
import tensorflow as tf

log = logging.getLogger(__name__)

Reporter = Callable[[str], AbstractContextManager[EpochReport | None]]
"""Called with the name of each decoder that is trained; its context yields what is to be called after the epochs."""


@dataclass(frozen=True)
class Options:
    """What is trained, and how much of it comes from the teacher."""

    macs: Sequence[int] = (3000, 30_000)
    """Budgets of multiply-accumulates; each makes a decoder."""
    n_hidden: int = 2
    weight_bits: int = 6
    share: float = 0.5
    """Weight of the distance from the teacher in the loss; the rest is the distance from the truth."""


def distil(
    run: Run, config: Config, options: Options, *, teacher: Path | None = None, output: Path | None = None,
    test: CalqTable | None = None, report: Reporter | None = None, checkpoint_seconds: float = 2.0,
    retrain: bool = False,
) -> Distillation:
    """Train the compact decoders of a run's encoder, and write `distillation.json` after each.

    config: that of the run with the options of these trainings; teacher: file of a decoder in floating point (default:
    that of the run); output: folder (default: that of the run's results); test: modules to evaluate all decoders on
    (default: the held-out ones of the run). Raises InputError before any work if a budget does not make a decoder, or
    if there is one of other options, which is only replaced with `retrain`.
    """
    spec, folder = run.weights.spec, Run(output or run.results_folder, new=True)
    specs = {budget: CompactSpec.largest(spec.latent, spec.dense.outputs, budget, options.n_hidden, options.weight_bits)
             for budget in dict.fromkeys(options.macs)}
    file = teacher or run.decoder_file
    teaching = load_decoder(file, spec)
    if isinstance(teaching, CompactDecoder):
        raise InputError(f"{file}: a compact decoder, expected one in floating point as teacher")
    macs = n_macs(spec, read_decoder(shipped.find(file), spec)[0])
    dataset = Dataset.from_config(config)
    modules = test or dataset.test
    result = Distillation(
        config=config.name, encoder=run.weights.digest(), data=modules.source, share=options.share,
        teacher=Teacher(macs=macs, metrics=evaluate(run.weights, teaching, modules.calq)), points=())
    with locked(folder.folder):
        kept = Distillation.find(folder.distillation_file)
        fingerprints = {budget: _fingerprint(config, run, teaching if options.share else None, compact, dataset,
                                             options.share) for budget, compact in specs.items()}
        for budget, made_from in fingerprints.items() if not retrain else ():
            _check_replaced(folder.compact_file(budget), folder.compact_checkpoint_file(budget), made_from)
        for budget, compact in specs.items():
            made_from = fingerprints[budget]
            point = _finished(folder.compact_file(budget), made_from, kept, run, modules.calq)
            if point is None:
                trainer = Distiller(config, run.weights, teaching, compact, dataset, options.share)
                checkpoint = Checkpoint(folder.compact_checkpoint_file(budget), made_from, checkpoint_seconds)
                with report(folder.compact_file(budget).stem) if report else nullcontext() as after_epoch:
                    _fit(trainer, checkpoint, after_epoch)
                decoder = get_weights(trainer.student, compact, run.weights.digest(), made_from)
                decoder.save(folder.compact_file(budget))
                point = CompactPoint(
                    name=folder.compact_file(budget).stem, budget=budget, macs=compact.macs, sizes=compact.sizes,
                    weight_bits=options.weight_bits, digest=decoder.digest(), epochs=trainer.epoch,
                    val_emd=trainer.history[trainer.best_epoch - 1].val_emd,
                    metrics=evaluate(run.weights, decoder, modules.calq))
            made = _implementations(folder.compact_constant_file(folder.compact_file(budget)), point.digest)
            point = point.model_copy(update={"implementations": made})
            result = result.model_copy(update={"points": (*result.points, point)})
            result.save(folder.distillation_file)
            folder.compact_checkpoint_file(budget).unlink(missing_ok=True)
    return result


def _fit(trainer: Distiller, checkpoint: Checkpoint, report: EpochReport | None) -> None:
    """Train all epochs, resuming from the checkpoint if there is one of this training."""
    tf.config.experimental.enable_op_determinism()
    if checkpoint.restore(trainer):
        log.info("%s: resuming after epoch %d", checkpoint.path, trainer.epoch)

    def after_epoch(epoch: int, values: Any) -> None:
        checkpoint.save_if_due(trainer)
        if report:
            report(epoch, values)

    trainer.fit(after_epoch)


def _check_replaced(path: Path, checkpoint: Path, made_from: str) -> None:
    """Raise InputError if a decoder, finished or interrupted, is of another training than that of this fingerprint."""
    begun = Checkpoint(checkpoint, made_from).owner()
    older = CompactDecoder.load(path).made_from if path.exists() else begun
    if made_from not in (begun, older) and older is not None:
        raise InputError(f"{path}: trained with other options, data or weights; choose another --output, or give "
                         "--retrain to replace it")


def _finished(
    path: Path, made_from: str, kept: Distillation | None, run: Run, calq: IntArray
) -> CompactPoint | None:
    """The point of a decoder that is already there, evaluated on these modules; None if it is to be trained."""
    if not path.exists() or kept is None:
        return None
    decoder = CompactDecoder.load(path)
    point = kept.point(decoder.digest())
    if decoder.made_from != made_from or point is None:
        return None
    log.info("%s is finished, with a validation EMD of %s", path, shown(point.val_emd))
    return point.model_copy(update={"name": path.stem, "metrics": evaluate(run.weights, decoder, calq)})


def _implementations(path: Path, digest: str) -> tuple[Implementation, ...]:
    """Rows of the result of `econ-t rtl decoder`, if it is there and of this decoder."""
    found = ConstantSynthesis.find(path)
    return found.implementations if found and found.digest == digest else ()


def _fingerprint(
    config: Config, run: Run, teacher: Any, spec: CompactSpec, dataset: Dataset, share: float
) -> str:
    """Digest, 16 hex digits, of everything the weights depend on."""
    training = config.training
    dumped = training.model_dump(mode="json", exclude={"emd_loss_models", "stages"})
    parts = [spec.digest(), run.weights.digest(), dumped, config.data.seed, dataset.digest, share,
             *learned_digests((training.loss, training.final_loss), training.emd_loss_models)]
    state = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for array in teacher.get_weights() if teacher else []:
        state.update(array.tobytes())
    return state.hexdigest()[:16]
