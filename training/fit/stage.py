"""One training of encoder and decoder together, in the arithmetic of the spec, into the folder of a run."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.calq_io import write_calq
from models.config import Config
from models.errors import InputError
from models.files import atomic_path
from models.npz import write_npz
from models.shipped import check_not_shipped
from models.weights import EncoderWeights
from training.data.dataset import Dataset, check_columns, row_keys
from training.fit.checkpoint import Checkpoint
from training.fit.run import Run, locked
from training.fit.start import EncoderFile, Start, check_alike
from training.fit.trainer import EpochReport, Trainer
from training.networks.decoder import save_decoder
from training.results.run import Epoch, History, RunSummary
from training.results.start import WarmStart

# isort: split
import tensorflow as tf

log = logging.getLogger(__name__)


def train_stage(
    config: Config, run: Run, dataset: Dataset, start: Start | None, fingerprint: str, *, retrain: bool = False,
    report: EpochReport | None = None, checkpoint_seconds: float = 2.0,
) -> RunSummary:
    """Start or resume a training in the folder of a run, whether it holds a finished one or not.

    `start`: what passed `check_start`, to initialise weights and decoder from.
    """
    found = start.in_range(dataset.train.calq) if isinstance(start, EncoderFile) else None
    initial = None
    if isinstance(start, EncoderFile) and found:
        initial = found.weights, start.decoder(config.training.decoder, found)
        if start.imported.signed:
            log.info("%s: signed, brought into the chip's range", start.path)
    elif isinstance(start, Run):
        initial = _trained(start, config)
    check_columns(dataset.test.extra)  # before training, not after all epochs
    with locked(run.folder):
        checkpoint = Checkpoint(run.checkpoint_file, fingerprint, checkpoint_seconds)
        if retrain:
            checkpoint.remove()
        trainer = _fit(config, dataset, checkpoint, initial, report)
        checkpoint.save(trainer)  # results that are cut short are known by it as ours
        measured = None
        if isinstance(start, EncoderFile) and found and initial:
            measured = start.measured(found, trainer, initial[1])
        summary = _write_results(trainer, run, start, fingerprint, measured)
        checkpoint.remove()
    return summary


def check_replaced(run: Run, fingerprint: str, has_retrain: bool = False) -> None:
    """Raise InputError if a folder holds what another training took its time for, finished or interrupted.

    `has_retrain`: whether the command has the option --retrain, which the message then names.
    """
    check_not_shipped(run.folder)
    owner = Checkpoint(run.checkpoint_file, fingerprint).owner()
    if owner == fingerprint:  # whoever began it was asked
        return
    held = None
    if run.summary_file.exists():
        held = "a finished run" if run.summary.fingerprint != fingerprint else None
    elif any(path.exists() for path in (run.weights_file, run.network_file, run.decoder_file)):
        held = "weights that are not known to be of this run"
    elif owner:
        held = "an interrupted training"
    if held:
        option = ", or give --retrain to replace it" if has_retrain else ""
        raise InputError(f"{run.folder}: holds {held}, with other options or data; choose another --output{option}")


def check_start(start: Start, config: Config) -> None:
    """Raise InputError unless a training can be initialised from this run or file."""
    path = start.folder if isinstance(start, Run) else start.path
    if config.training.network:
        raise InputError(f"{path}: network {config.training.network} starts from random weights; omit --start")
    if isinstance(start, Run):
        check_alike(path, config.encoder, start.config.encoder)
    else:
        start.check(config.training.decoder)


def _trained(start: Run, config: Config) -> tuple[EncoderWeights, Any | None]:
    """Initial weights and decoder of a run that passed `check_start`.

    The decoder is None if its options differ from ours: it then starts from random weights.
    """
    alike = start.config.training.decoder == config.training.decoder
    return EncoderWeights(config.encoder, **start.weights.arrays), start.decoder if alike else None


def _fit(
    config: Config, dataset: Dataset, checkpoint: Checkpoint, initial: tuple[EncoderWeights, Any | None] | None,
    report: EpochReport | None,
) -> Trainer:
    """Train all epochs, resuming from the checkpoint if there is one of this run; returns the trainer."""
    tf.config.experimental.enable_op_determinism()
    trainer = Trainer.from_config(config, dataset)
    if checkpoint.restore(trainer):
        log.info("%s: resuming after epoch %d", checkpoint.path.parent, trainer.epoch)
    elif initial:
        weights, decoder = initial
        if decoder:
            trainer.decoder.set_weights(decoder.get_weights())
        trainer.encoder.set_codes(weights)  # last: a decoder that refines holds the encoder, before rounding to codes

    def after_epoch(epoch: int, values: Epoch) -> None:
        checkpoint.save_if_due(trainer)
        if report:
            report(epoch, values)

    trainer.fit(after_epoch)
    return trainer


def _write_results(
    trainer: Trainer, run: Run, start: Start | None, fingerprint: str, measured: WarmStart | None
) -> RunSummary:
    config, dataset = trainer.config, trainer.dataset
    rows = dataset.modules.calq[np.concatenate([dataset.split.train, dataset.split.validation])]
    trained = np.union1d(row_keys(rows), start.trained_rows) if start else row_keys(rows)
    weights = trainer.encoder.codes()  # may raise, so do it before anything is written
    if isinstance(weights, EncoderWeights):
        trainer.encoder.set_codes(weights)  # the encoder in a decoder that refines is the one that is written
    with atomic_path(run.test_file) as held_out:
        write_calq(held_out, dataset.test.calq, config.data.order, dataset.test.extra)
        # From here on, results of an older run are incomplete; a folder holds one encoder and one decoder.
        for path in (run.summary_file, run.weights_file, run.network_file, run.start_file,
                     *run.older_files):
            path.unlink(missing_ok=True)
        weights.save(run.encoder_file(config))
        digest = weights.digest() if isinstance(weights, EncoderWeights) else None
        save_decoder(trainer.decoder, config.training.decoder, run.decoder_file, encoder=digest)
        write_npz(run.trained_rows_file, rows=trained)
        if measured:
            measured.save(run.start_file)
        History.of(trainer.history).save(run.history_file)
        config.save(run.config_file)
    summary = RunSummary(
        fingerprint=fingerprint, encoder_digest=config.encoder.digest(), data_digest=dataset.digest,
        data=dataset.source,
        n_train=len(dataset.split.train), n_validation=len(dataset.split.validation), n_test=len(dataset.split.test),
        epochs=trainer.epoch, best_epoch=trainer.best_epoch, val_emd=trainer.history[trainer.best_epoch - 1].val_emd)
    summary.save(run.summary_file)
    return summary
