"""Training of encoder and decoder together, through the arithmetic of the spec.

A run lives in one folder. It can be interrupted at any time and continues where it was, to the same result; a finished
run is recognised by the fingerprint of configuration and data, and not repeated.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.calq_io import CalqTable, write_calq
from models.config import Config
from models.files import atomic_path, write_text
from models.trigger_cells import to_trigger_cells
from models.weights import NETWORK_FILE, WEIGHTS_FILE, EncoderWeights
from training.data.modules import Split, check_columns, digest_of, load_modules, split_rows
from training.data.selection import select
from training.fit.run import FINGERPRINT_FILE, alone, fingerprint_of, finished, trained
from training.fit.trainer import Trainer
from training.networks.decoder import DECODER_FILE, save_decoder
from training.networks.keras_encoder import encoder_file

# isort: split
import tensorflow as tf

_OLDER_FILES = ("decoder.keras", "encoder.keras")  # of an older version: a folder holds one encoder and one decoder
CHECKPOINT_FILE = "checkpoint.npz"
_CHECKPOINT_SECONDS = 2.0  # a checkpoint of every epoch would cost more than short epochs themselves
EpochReport = Callable[[int, dict[str, float]], None]
"""Called after every epoch with its number, from 1, and the last value of each list of the history."""


def train(
    config: Config, output: Path, retrain: bool = False, report: EpochReport | None = None, start: Path | None = None
) -> dict[str, Any]:
    """Train, or continue, or recognise a finished run; returns the content of fingerprint.json.

    `start`: the folder of a finished run whose weights and decoder to begin with; it may be of another link budget,
    and with other decoder options it gives its weights alone.
    Writes into `output`: weights.npz (network.npz, if `training.network` names one), decoder.npz, history.json,
    test.csv (the held-out rows, columns in the order of the configuration), config.yaml and, last, fingerprint.json.
    Raises InputError for bad data, if a weight is not exactly a code, or if another process trains into `output`.
    """
    table = select(load_modules(config.data, config.encoder.n_elinks), config.data)
    split = split_rows(table.calq, config)
    initial = trained(start, config) if start else None
    fingerprint = fingerprint_of(config, table.calq, start)
    done = finished(output, fingerprint, encoder_file(config))
    if done and not retrain:
        logging.getLogger(__name__).info("%s holds this run already, trained to a validation EMD of %.3f "
                                         "(--retrain repeats it)", output, done["val_emd"])
        return done
    check_columns(table.extra.iloc[split.test])  # now, not after all epochs
    with alone(output):
        trainer = _trained(config, output, table, split, fingerprint, initial, retrain, report)
        summary = _write_results(trainer, output, table, split, fingerprint)
        (output / CHECKPOINT_FILE).unlink(missing_ok=True)
    return summary


def _trained(
    config: Config, output: Path, table: CalqTable, split: Split, fingerprint: str,
    initial: tuple[EncoderWeights, Any | None] | None, retrain: bool, report: EpochReport | None,
) -> Trainer:
    """A trainer that has done all epochs, from the checkpoint on if there is one of this run."""
    tf.config.experimental.enable_op_determinism()
    calq = to_trigger_cells(table.calq)
    trainer = Trainer(config, calq[split.train], calq[split.validation])
    checkpoint = output / CHECKPOINT_FILE
    if retrain:
        checkpoint.unlink(missing_ok=True)
    if trainer.restore(checkpoint, fingerprint):
        logging.getLogger(__name__).info("%s: continues after epoch %d", output, trainer.epoch)
    elif initial:
        trainer.start_from(*initial)
    saved = time.monotonic()
    while not trainer.finished:
        trainer.run_epoch()
        if time.monotonic() - saved > _CHECKPOINT_SECONDS:
            trainer.save(checkpoint, fingerprint)
            saved = time.monotonic()
        if report:
            report(trainer.epoch, {name: values[-1] for name, values in trainer.history.items()})
    trainer.restore_best()
    return trainer


def _write_results(
    trainer: Trainer, output: Path, table: CalqTable, split: Split, fingerprint: str
) -> dict[str, Any]:
    config = trainer.config
    weights = trainer.encoder.codes()  # raises before anything is written
    with atomic_path(output / "test.csv") as held_out:
        write_calq(held_out, table.calq[split.test], config.data.order, table.extra.iloc[split.test])
        # Results of another run are no longer whole from here on.
        (output / FINGERPRINT_FILE).unlink(missing_ok=True)
        for name in (WEIGHTS_FILE, NETWORK_FILE, *_OLDER_FILES):
            (output / name).unlink(missing_ok=True)
        weights.save(output / encoder_file(config))
        save_decoder(trainer.decoder, config.training.decoder, output / DECODER_FILE)
        write_text(output / "history.json", json.dumps(trainer.history, indent=1) + "\n")
        write_text(output / "config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    summary = {
        "fingerprint": fingerprint, "encoder_digest": config.encoder.digest(), "data_digest": digest_of(table.calq),
        "n_train": len(split.train), "n_validation": len(split.validation), "n_test": len(split.test),
        "epochs": trainer.epoch, "best_epoch": trainer.best_epoch, "val_emd": min(trainer.history["val_emd"]),
    }
    write_text(output / FINGERPRINT_FILE, json.dumps(summary, indent=1) + "\n")
    return summary
