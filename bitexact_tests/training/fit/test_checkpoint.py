"""Checkpoints: whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitexact_tests.samples.runs import dataset_of, small
from training.production.toy import generate

pytest.importorskip("tensorflow")

from training.fit.checkpoint import Checkpoint
from training.fit.trainer import Trainer


def test_checkpoint_of_another_run_is_not_used(tmp_path: Path) -> None:
    dataset, path = dataset_of(small(), generate(200, seed=1), 150), tmp_path / "checkpoint.npz"
    trainer = Trainer.from_config(small(), dataset)
    next(trainer.epochs())
    Checkpoint(path, "one").save(trainer)
    fresh = Trainer.from_config(small(), dataset)
    assert not Checkpoint(path, "other").restore(fresh) and fresh.epoch == 0
    assert Checkpoint(path, "one").restore(fresh) and fresh.history == trainer.history
