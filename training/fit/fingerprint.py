"""Fingerprint of a training: equal for trainings with equal results."""

from __future__ import annotations

import hashlib
import json

from models.config import Config
from training.losses.find import learned_digests


def fingerprint_of(config: Config, data: str, start: str | None = None) -> str:
    """Digest, 16 hex digits, of everything the result depends on: encoder, options, split, data, initial run.

    Learned losses are identified by their weights, not by their location. `data`: digest of the charges; `start`:
    fingerprint of the run to initialise from, which also tells apart chains of stages.
    """
    training = config.training
    options = training.model_dump(mode="json", exclude={"emd_loss_models", "stages"})
    parts = [config.encoder.digest(), options, config.data.seed, data,
             *learned_digests((training.loss, training.final_loss), training.emd_loss_models)]
    if config.data.signal_fraction is not None:
        parts.append([config.data.signal_fraction, config.data.energy_bins])
    if start:
        parts.append(start)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
