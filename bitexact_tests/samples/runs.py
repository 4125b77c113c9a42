"""Configurations that train in seconds."""

from __future__ import annotations

from typing import Any

from models.config import Config


def small(name: str = "econ_t_3elink", **training: Any) -> Config:
    """A configuration of the project that trains in seconds on toy charges; `training` overrides its options."""
    config = Config.load(name)
    options = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01, "loss": "kernel", "final_fraction": 0.25,
               "augment": {"pool": 500}, "decoder": {"width": 24, "layers": 2}}
    return config.override(data={"source": "toy", "n_modules": 400}, training=options | training)
