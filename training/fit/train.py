"""Training of encoder and decoder together, through the arithmetic of the spec.

A run lives in one folder. It can be interrupted at any time and continues where it was, to the same result; a finished
run is recognised by the fingerprint of configuration and data, and not repeated.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.calq_io import write_calq
from models.config import CONFIG_FILE, Config
from models.files import atomic_path
from models.weights import NETWORK_FILE, WEIGHTS_FILE, EncoderWeights
from training.data.dataset import Dataset, check_columns
from training.fit.checkpoint import Checkpoint
from training.fit.run import FINGERPRINT_FILE, alone, fingerprint_of, finished, trained
from training.fit.trainer import EpochReport, Trainer
from training.networks.decoder import DECODER_FILE, save_decoder
from training.networks.keras_encoder import encoder_file
from training.results.run import History, RunSummary

# isort: split
import tensorflow as tf

_OLDER_FILES = ("decoder.keras", "encoder.keras")  # of an older version: a folder holds one encoder and one decoder
CHECKPOINT_FILE = "checkpoint.npz"


def train(
    config: Config, output: Path, retrain: bool = False, report: EpochReport | None = None, start: Path | None = None
) -> RunSummary:
    """Train, or continue, or recognise a finished run.

    `start`: the folder of a finished run whose weights and decoder to begin with; it may be of another link budget,
    and with other decoder options it gives its weights alone.
    Writes into `output`: weights.npz (network.npz, if `training.network` names one), decoder.npz, history.json,
    test.csv (the held-out rows, columns in the order of the configuration), config.yaml and, last, fingerprint.json.
    Raises InputError for bad data, if a weight is not exactly a code, or if another process trains into `output`.
    """
    dataset = Dataset.from_config(config)
    initial = trained(start, config) if start else None
    fingerprint = fingerprint_of(config, dataset.digest, start)
    done = finished(output, fingerprint, encoder_file(config))
    if done and not retrain:
        logging.getLogger(__name__).info("%s holds this run already, trained to a validation EMD of %.3f "
                                         "(--retrain repeats it)", output, done.val_emd)
        return done
    check_columns(dataset.test.extra)  # now, not after all epochs
    with alone(output):
        checkpoint = Checkpoint(output / CHECKPOINT_FILE, fingerprint)
        if retrain:
            checkpoint.remove()
        trainer = _trained(config, dataset, checkpoint, initial, report)
        summary = _write_results(trainer, output, fingerprint)
        checkpoint.remove()
    return summary


def _trained(
    config: Config, dataset: Dataset, checkpoint: Checkpoint, initial: tuple[EncoderWeights, Any | None] | None,
    report: EpochReport | None,
) -> Trainer:
    """A trainer that has done all epochs, from the checkpoint on if there is one of this run."""
    tf.config.experimental.enable_op_determinism()
    trainer = Trainer.from_config(config, dataset)
    if checkpoint.restore(trainer):
        logging.getLogger(__name__).info("%s: continues after epoch %d", checkpoint.path.parent, trainer.epoch)
    elif initial:
        weights, decoder = initial
        trainer.encoder.set_codes(weights)
        if decoder:
            trainer.decoder.set_weights(decoder.get_weights())

    def after_epoch(epoch: int, values: dict[str, float]) -> None:
        checkpoint.save_if_due(trainer)
        if report:
            report(epoch, values)

    trainer.fit(after_epoch)
    return trainer


def _write_results(trainer: Trainer, output: Path, fingerprint: str) -> RunSummary:
    config, dataset = trainer.config, trainer.dataset
    weights = trainer.encoder.codes()  # raises before anything is written
    with atomic_path(output / "test.csv") as held_out:
        write_calq(held_out, dataset.test.calq, config.data.order, dataset.test.extra)
        # Results of another run are no longer whole from here on.
        (output / FINGERPRINT_FILE).unlink(missing_ok=True)
        for name in (WEIGHTS_FILE, NETWORK_FILE, *_OLDER_FILES):
            (output / name).unlink(missing_ok=True)
        weights.save(output / encoder_file(config))
        save_decoder(trainer.decoder, config.training.decoder, output / DECODER_FILE)
        History(**{name: tuple(values) for name, values in trainer.history.items()}).save(output / "history.json")
        config.save(output / CONFIG_FILE)
    summary = RunSummary(
        fingerprint=fingerprint, encoder_digest=config.encoder.digest(), data_digest=dataset.digest,
        n_train=len(dataset.split.train), n_validation=len(dataset.split.validation), n_test=len(dataset.split.test),
        epochs=trainer.epoch, best_epoch=trainer.best_epoch, val_emd=min(trainer.history["val_emd"]))
    summary.save(output / FINGERPRINT_FILE)
    return summary
