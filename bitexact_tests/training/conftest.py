"""Fixtures of the training."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from models.config import Config
from models.weights import EncoderWeights


@pytest.fixture(scope="session")
def random_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of runs with random weights and decoders, for 5 and 2 links and in both arithmetics."""
    pytest.importorskip("tensorflow")
    # TensorFlow is imported for the tests that need these runs alone.
    from training.fit.run import Run
    from training.networks.decoder import build_decoder, save_decoder

    root = tmp_path_factory.mktemp("runs")
    folders = []
    for name in ("econ_t_5elink", "econ_t_2elink", "qkeras_5elink"):
        config = Config.load(name).override(training={"decoder": {"width": 8, "layers": 1}})
        folder = root / name
        EncoderWeights.random(config.encoder, 3, density=0.4).save(folder / "weights.npz")
        (folder / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
        options = config.training.decoder
        save_decoder(build_decoder(config.encoder, options, 1), options, Run(folder).decoder_file)
        folders.append(folder)
    return folders
