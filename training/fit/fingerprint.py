"""The fingerprint of a training: equal for trainings that give the same result."""

from __future__ import annotations

import hashlib
import json

from models.config import Config
from training.fit.run import Run
from training.losses.find import learned_digests


def fingerprint_of(config: Config, data: str, start: Run | None = None) -> str:
    """16 hex digits of all that the result depends on: encoder, options, split, digest of the data, run to start from.

    Learned losses count by their weights, wherever they are.
    """
    training = config.training
    parts = [config.encoder.digest(), training.model_dump(mode="json", exclude={"emd_loss_models"}), config.data.seed,
             data, *learned_digests((training.loss, training.final_loss), training.emd_loss_models)]
    if start:
        parts.append(start.summary.fingerprint)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
