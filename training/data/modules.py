"""Module charges for training, from files, collisions or a generator, and which rows train, validate and test."""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from models.arrays import IntArray
from models.calq_io import CalqTable, read_calq
from models.config import Config, DataConfig
from models.errors import InputError, ToolMissing, parsing
from training.production import CACHE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """Row numbers of one table, each ascending; no row is in two parts."""

    train: IntArray
    validation: IntArray
    test: IntArray


def load_modules(data: DataConfig, n_elinks: int = 5, cache: Path = CACHE) -> CalqTable:
    """Charges of the configured files; without files, of the configured source for modules of `n_elinks` links.

    Without Pythia, the simple generator serves and a warning says so. `cache` keeps what Pythia made.
    """
    if data.files:
        return read_calq(data.files, data.order, data.nrows_per_file)
    if data.source == "pythia":
        from training.production.default_set import pythia_modules

        try:
            return pythia_modules(data.n_modules, data.seed, n_elinks, cache)
        except ToolMissing as error:
            log.warning("data.source: pythia: %s; the simple generator serves instead", error)
    from training.production.toy import generate

    return CalqTable(generate(data.n_modules, data.seed), pd.DataFrame(index=range(data.n_modules)))


def split_rows(calq: IntArray, config: Config) -> Split:
    """Held-out rows depend on `data.seed` and `test_fraction` alone: other seeds train on and validate with the rest.

    Empty modules teach nothing and are left out of the training and validation rows. Raises InputError if no row is
    left to train, to validate or to test.
    """
    training = config.training
    shuffled = np.random.default_rng(config.data.seed).permutation(len(calq))
    n_test, n_validation = (round(part * len(calq)) for part in (training.test_fraction, training.validation_fraction))
    test, rest = shuffled[:n_test], shuffled[n_test:]
    rest = rest[calq[rest].any(axis=1)]
    split = Split(np.sort(rest[n_validation:]), np.sort(rest[:n_validation]), np.sort(test))
    for name, rows in vars(split).items():
        if not len(rows):
            raise InputError(f"{len(calq)} modules, {len(rest) + n_test} of use, leave none for {name}: expected more")
    return split


def check_columns(extra: pd.DataFrame) -> None:
    """Raise InputError unless CSV can hold these columns: each of one simple type, under a name of its own."""
    names = [str(name) for name in extra.columns]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"data: column {name} is given twice, expected different names")
        if any(c in ',"\r\n' for c in name):
            raise InputError(f"data: column {name!r}, expected a name without comma, quote and line break")
        with parsing(f"data: column {name}", "numbers or texts of one type"):
            pa_csv.write_csv(pa.table({"column": pa.array(extra[name])}), io.BytesIO())


def digest_of(calq: IntArray) -> str:
    """16 hex digits of the charges themselves: equal files under other names are the same data."""
    content = np.ascontiguousarray(calq, dtype="<u4")
    return hashlib.sha256(repr(content.shape).encode() + content.tobytes()).hexdigest()[:16]
