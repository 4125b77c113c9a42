"""A run with everything that a report shows, small and made in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.results import bit_comparison, evaluation, vector_check
from models.config import Config
from models.trigger_cells import image_order
from models.weights import EncoderWeights
from training.physics.comparison import compare
from training.physics.latents import latent_statistics
from training.physics.schemes import autoencoder
from training.production.toy import generate
from training.results.comparison import Options
from training.results.run import History

CONFIG_FILE = REPOSITORY / "configs" / "econ_t_5elink.yaml"
CONFIG = Config.load(CONFIG_FILE)


def make_run(folder: Path) -> None:
    """A run with random weights, a decoder that spreads evenly, and the results of every command."""
    pytest.importorskip("tensorflow")
    weights = EncoderWeights.random(CONFIG.encoder, 1, density=0.4)
    weights.save(folder / "weights.npz")
    History(loss=(3.0, 2.0, 1.0), val_loss=(3.1, 2.2, 2.1), val_emd=(2.0, 1.2, 1.4)).save(folder / "history.json")
    bit_comparison(CONFIG, weights.digest()).save(folder / "compare.json")
    bit_comparison(CONFIG, weights.digest(), "rtl").save(folder / "compare_rtl.json")
    vector_check().save(folder / "vectors.json")
    found = latent_statistics(weights, generate(200, 4))
    evaluation(CONFIG, weights.digest()).model_copy(update={"latents": found}).save(folder / "metrics.json")
    even = np.full(48, 1 / 48)
    encoder = autoencoder("AE <even> & flat", weights, None)
    calq = generate(300, 3)[:, np.argsort(image_order())].astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.physics.schemes.decode", lambda model, latent, total: np.tile(even, (len(total), 1)))
        compare(calq, {"layer": np.repeat([7, 9, 11], 100)}, [encoder], Options(n_elinks=(2, 5)),
                data="a <sample>").save(folder / "physics.json")
