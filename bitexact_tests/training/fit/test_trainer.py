"""The training loop: what it sees, when it stops, and that it neither reads too early nor leaves a thread behind."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.samples.runs import dataset_of, small
from emulator import encode
from models.config import Config
from models.errors import InputError
from training.production.toy import generate
from training.results.run import Epoch

pytest.importorskip("tensorflow")

from training.fit.trainer import Trainer


def test_trained_weights_equal_the_emulator(config: Config, tmp_path: Path) -> None:
    """In every configuration the latents that training saw are those of the emulator."""
    from training.networks.chip_encoder import image_codes

    calq = generate(300, seed=1)
    trainer = Trainer.from_config(small(config.name, learning_rate=0.05), dataset_of(config, calq, 256))
    next(trainer.epochs())
    weights = trainer.encoder.codes()
    assert len(np.unique(weights.flat)) > 10
    latent_code = encode(weights, calq)["latent_code"]
    np.testing.assert_array_equal(
        trainer.encoder(image_codes(config.encoder, calq)).numpy(), config.encoder.latent.value(latent_code))


def test_patience_and_the_best_epoch() -> None:
    config = small(patience=2, epochs=50)
    trainer = Trainer.from_config(config, dataset_of(config, generate(100, seed=1), 80))
    trainer.history = [Epoch(1, 1, val_emd) for val_emd in (2.0, 1.0, 1.5)]
    assert trainer.best_epoch == 2 and not trainer.finished
    trainer.history.append(Epoch(1, 1, 1.2))
    assert trainer.finished


def test_trainer_reads_nothing_before_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the pool of generated modules nor a learned loss, which is not there."""
    config = small(loss="emd_loss1", emd_loss_models=str(tmp_path), epochs=1)
    dataset = dataset_of(config, generate(100, seed=1), 80)
    asked: list[Any] = []
    monkeypatch.setattr("training.data.dataset.load_modules", lambda *arguments: asked.append(arguments))
    trainer = Trainer.from_config(config, dataset)
    assert not asked
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"emd_loss1\.npz: no such file"):
        trainer.fit()


@pytest.mark.parametrize("rate", [0.01, 1e30])
def test_threads_of_a_trainer_end_with_it(rate: float) -> None:
    """Also where the numbers are no longer finite."""
    config = small(epochs=2, learning_rate=rate)
    before = set(threading.enumerate())
    trainer = Trainer.from_config(config, dataset_of(config, generate(100, seed=1), 80))
    seen: list[set[threading.Thread]] = []
    with nullcontext() if rate < 1 else pytest.raises(InputError, match="decoded charges are not finite"):
        trainer.fit(lambda epoch, values: seen.append(set(threading.enumerate())))
    assert set(threading.enumerate()) == before
    assert rate > 1 or seen[0] > before, "it has a thread while it trains"
