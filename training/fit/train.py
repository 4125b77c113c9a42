"""Training of encoder and decoder together, in the arithmetic of the spec.

A run has its own folder. It can be interrupted at any time, and resumes with the same result; a finished run is
recognised by the fingerprint of configuration and data, and is not repeated.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.calq_io import write_calq
from models.config import Config
from models.errors import InputError
from models.files import atomic_path
from models.weights import EncoderWeights
from training.data.dataset import Dataset, check_columns
from training.fit.checkpoint import Checkpoint
from training.fit.fingerprint import fingerprint_of
from training.fit.run import Run, locked
from training.fit.trainer import EpochReport, Trainer
from training.networks.decoder import save_decoder
from training.results.run import Epoch, History, RunSummary

# isort: split
import tensorflow as tf

log = logging.getLogger(__name__)


def train(
    config: Config, output: str | Path, retrain: bool = False, report: EpochReport | None = None,
    start: str | Path | None = None, checkpoint_seconds: float = 2.0,
) -> RunSummary:
    """Start or resume a training, or recognise a finished one.

    `start`: folder of a finished run to initialise weights and decoder from; its link budget may differ, and if its
    decoder options do, only the weights are used. `checkpoint_seconds`: time between checkpoints.
    Writes to `output`: weights.npz (network.npz if `training.network` is set), decoder.npz, history.json, test.csv (the
    held-out rows, with columns in the configured order), config.yaml and, last, fingerprint.json.
    Raises InputError for bad data, if a weight is not exactly a code, or if another process has locked `output`.
    """
    run, dataset = Run(output), Dataset.from_config(config)
    begin = Run(start) if start else None
    initial = _trained(begin, config) if begin else None
    fingerprint = fingerprint_of(config, dataset.digest, begin)
    if run.is_finished(config, fingerprint) and not retrain:
        log.info("%s already holds this run, with a validation EMD of %.3f (--retrain repeats it)", output,
                 run.summary.val_emd)
        return run.summary
    check_columns(dataset.test.extra)  # before training, not after all epochs
    with locked(run.folder):
        checkpoint = Checkpoint(run.checkpoint_file, fingerprint, checkpoint_seconds)
        if retrain:
            checkpoint.remove()
        trainer = _fit(config, dataset, checkpoint, initial, report)
        summary = _write_results(trainer, run, fingerprint)
        checkpoint.remove()
    return summary


def _trained(start: Run, config: Config) -> tuple[EncoderWeights, Any | None]:
    """Initial weights and decoder from an encoder that may differ only in the number of links.

    The decoder is None if its options differ from ours: it then starts from random weights.
    """
    if config.training.network:
        raise InputError(f"{start.folder}: network {config.training.network} starts from random weights; omit --start")
    if start.config.encoder.evolve(n_elinks=config.encoder.n_elinks) != config.encoder:
        raise InputError(f"{start.folder}: encoder of other formats or shapes, expected one that differs only in "
                         "n_elinks")
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
        trainer.encoder.set_codes(weights)
        if decoder:
            trainer.decoder.set_weights(decoder.get_weights())

    def after_epoch(epoch: int, values: Epoch) -> None:
        checkpoint.save_if_due(trainer)
        if report:
            report(epoch, values)

    trainer.fit(after_epoch)
    return trainer


def _write_results(trainer: Trainer, run: Run, fingerprint: str) -> RunSummary:
    config, dataset = trainer.config, trainer.dataset
    weights = trainer.encoder.codes()  # may raise, so do it before anything is written
    with atomic_path(run.test_file) as held_out:
        write_calq(held_out, dataset.test.calq, config.data.order, dataset.test.extra)
        # From here on, results of an older run are incomplete; a folder holds one encoder and one decoder.
        for path in (run.summary_file, run.weights_file, run.network_file, *run.older_files):
            path.unlink(missing_ok=True)
        weights.save(run.encoder_file(config))
        save_decoder(trainer.decoder, config.training.decoder, run.decoder_file)
        History.of(trainer.history).save(run.history_file)
        config.save(run.config_file)
    summary = RunSummary(
        fingerprint=fingerprint, encoder_digest=config.encoder.digest(), data_digest=dataset.digest,
        n_train=len(dataset.split.train), n_validation=len(dataset.split.validation), n_test=len(dataset.split.test),
        epochs=trainer.epoch, best_epoch=trainer.best_epoch, val_emd=trainer.history[trainer.best_epoch - 1].val_emd)
    summary.save(run.summary_file)
    return summary
