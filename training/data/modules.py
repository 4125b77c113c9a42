"""Module charges from files, collisions or the simple generator, as configured."""

from __future__ import annotations

import logging
from pathlib import Path

from models.calq_io import CalqTable, read_calq
from models.config import DataConfig
from models.errors import ToolMissing
from training.production import CACHE
from training.production.default_set import pythia_modules
from training.production.toy import generate

log = logging.getLogger(__name__)


def load_modules(data: DataConfig, n_elinks: int = 5, cache: Path = CACHE) -> CalqTable:
    """Load the configured files; without files, generate modules of `n_elinks` links with the configured source.

    Without Pythia, warns and uses the simple generator. Modules from Pythia are cached in `cache`.

    Examples:
        >>> from models import Config
        >>> from training.data import load_modules
        >>> config = Config.load("econ_t_5elink").override(data={"source": "toy", "n_modules": 100})
        >>> load_modules(config.data).calq.shape
        (100, 48)
    """
    if data.files:
        return read_calq(data.files, data.order, data.nrows_per_file)
    if data.source == "pythia":
        try:
            return pythia_modules(data.n_modules, data.seed, n_elinks, cache, layers=data.layers)
        except ToolMissing as error:
            log.warning("data.source: pythia: %s; using the simple generator", error)
    return generated_modules(data.n_modules, data.seed)


def generated_modules(n_modules: int, seed: int) -> CalqTable:
    """Generate modules with the simple generator."""
    import pandas as pd  # noqa: PLC0415  (slow to start, and --help does without)

    return CalqTable(generate(n_modules, seed), pd.DataFrame(index=range(n_modules)), f"simple generator, seed {seed}")
