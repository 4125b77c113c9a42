"""The configuration that weights are for: what a command is told, what stands beside the weights, or what they say."""

from __future__ import annotations

import re
from pathlib import Path

from models.config import CONFIG_FILE, Config
from models.register_weights import load_weights
from models.shipped import find_weights
from models.weights import EncoderWeights


def find_config(weights: Path, given: Path | None = None) -> Config:
    """`given`, else config.yaml in the folder of the weights, else the defaults around the spec of the weights.

    `weights` may be the name of a shipped set.
    """
    weights = find_weights(weights)
    beside = weights.parent / CONFIG_FILE
    if given or beside.exists():
        return Config.load(given or beside)
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", weights.stem)
    return Config(name=name or "weights", encoder=load_weights(weights).spec)


def load_configured(weights: Path, given: Path | None = None) -> tuple[Config, EncoderWeights]:
    """Weights and their configuration, see `find_config`; raises InputError if the weights are not for it."""
    config = find_config(weights, given)
    return config, load_weights(weights, config.encoder)
