"""Runs with random weights, in no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.calq_io import write_calq
from models.config import Config
from models.weights import EncoderWeights
from training.fit.run import Run
from training.production.toy import generate


def random_run(folder: Path, n_elinks: int, sharp: float = 40.0, **decoder: Any) -> Run:
    """A run with random weights; `sharp` logits make nearly all charge of a decoded map stand in few cells."""
    from training.networks.chip_encoder import chip_encoder
    from training.networks.decoder import build_decoder, save_decoder

    options = {"width": 8, "layers": 1} | decoder
    augment = {"generated": 0} if "conditions" in decoder else {}
    config = Config.load(f"econ_t_{n_elinks}elink").override(training={"decoder": options, "augment": augment})
    weights = EncoderWeights.random(config.encoder, n_elinks, density=0.4)
    encoder = chip_encoder(config.encoder, 0)
    encoder.set_codes(weights)
    model = build_decoder(config.encoder, config.training.decoder, n_elinks, encoder)
    for layer in model.layers:
        if layer.name == "logits":
            layer.set_weights([weight * sharp for weight in layer.get_weights()])
    run = Run(folder)
    weights.save(run.weights_file)
    config.save(run.config_file)
    save_decoder(model, config.training.decoder, run.decoder_file)
    calq = generate(150, seed=n_elinks)
    calq[0] = 0
    calq[1] = np.arange(48) == 5  # one CALQ
    write_calq(run.test_file, calq, config.data.order)
    return Run(folder)
