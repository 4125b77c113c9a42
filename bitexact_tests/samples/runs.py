"""Configurations that train in seconds, and charges for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models.arrays import IntArray
from models.calq_io import CalqTable
from models.config import Config
from training.data.dataset import Dataset, Split


def small(name: str = "econ_t_3elink", **training: Any) -> Config:
    """A configuration of the project that trains in seconds on toy charges; `training` overrides its options."""
    config = Config.load(name)
    options = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01, "loss": "kernel", "final_fraction": 0.25,
               "augment": {"pool": 500}, "decoder": {"width": 24, "layers": 2}}
    return config.override(data={"source": "toy", "n_modules": 400}, training=options | training)


def dataset_of(config: Config, calq: IntArray, n_train: int) -> Dataset:
    """Charges (n, 48) in image order: the first `n_train` to train on, the others to validate with."""
    rows = np.arange(len(calq))
    table = CalqTable(calq, pd.DataFrame(index=rows), "a test")
    return Dataset(config, table, Split(rows[:n_train], rows[n_train:], rows[:0]))
