"""Charges of a configuration, prepared for training: the modules that train, validate and test."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from models.arrays import IntArray
from models.calq_io import CalqTable
from models.config import Config, DataConfig, TrainingConfig
from models.errors import InputError, parsing
from models.trigger_cells import to_trigger_cells
from training.data.augment import pool_config
from training.data.modules import load_modules
from training.data.selection import select

if TYPE_CHECKING:
    import pandas as pd

EVENT = "event"
"""Column of the number of the event; with it, whole events are held out."""
_EVENT_OF_FILES = "entry"
"""The same of files that were generated, or made of ntuples without a number."""
_FEWEST_EVENTS = 10
"""Of which a tenth is one to validate with."""
_CELLS_OF_A_KEY = 4  # modules with fewer charged cells are often equal by chance


@dataclass(frozen=True)
class Split:
    """Row numbers of the parts of one table, each ascending; no row is in two parts, and no event if it is known."""

    train: IntArray
    validation: IntArray
    test: IntArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """All modules that a configuration selects, split into parts; charges are in image order, as everywhere in memory.

    Examples:
        >>> from models import Config
        >>> from training import Dataset
        >>> config = Config.load("econ_t_5elink").override(data={"source": "toy", "n_modules": 100})
        >>> data = Dataset.from_config(config)
        >>> [part.calq.shape for part in (data.train, data.validation, data.test)]
        [(65, 48), (10, 48), (25, 48)]
    """

    config: Config
    modules: CalqTable
    split: Split

    @classmethod
    def from_config(cls, config: Config, modules: CalqTable | None = None) -> Dataset:
        """Read or generate the modules of a configuration; raises InputError if any part would be empty.

        `modules`: those that another configuration with the same data selected.
        """
        modules = modules or select(load_modules(config.data, config.encoder.n_elinks), config.data)
        split = split_rows(modules.calq, config, events_of(modules.extra, of_files=bool(config.data.files)))
        if config.data.signal_fraction is not None:
            split = replace(split, train=resampled(split.train, modules.extra, config.data))
        return cls(config, modules, split)

    @cached_property
    def train(self) -> CalqTable:
        """Modules to train on; none is empty."""
        return self.modules.rows(self.split.train)

    @cached_property
    def validation(self) -> CalqTable:
        """Modules by which the best epoch is chosen; none is empty."""
        return self.modules.rows(self.split.validation)

    @cached_property
    def test(self) -> CalqTable:
        """Held-out modules."""
        return self.modules.rows(self.split.test)

    @cached_property
    def pool(self) -> IntArray:
        """Generated modules (m, 48) in trigger-cell order that augmentation draws from; generated on first use."""
        return to_trigger_cells(load_modules(pool_config(self.config.training), self.config.encoder.n_elinks).calq)

    @cached_property
    def digest(self) -> str:
        """Digest of the charges themselves, 16 hex digits: equal files under other names are the same data."""
        return charges_digest(self.modules.calq)

    @property
    def source(self) -> str:
        """Where the modules come from, in words."""
        return self.modules.source

    def __repr__(self) -> str:
        return (f"<Dataset of {len(self.modules.calq)} modules: {len(self.split.train)} train, "
                f"{len(self.split.validation)} validate, {len(self.split.test)} test; {self.source}>")


def charges_digest(calq: IntArray) -> str:
    """Digest of charges, 16 hex digits."""
    content = np.ascontiguousarray(calq, dtype="<u4")
    return hashlib.sha256(repr(content.shape).encode() + content.tobytes()).hexdigest()[:16]


def row_keys(calq: IntArray) -> npt.NDArray[np.uint64]:
    """Keys of the modules (n, 48) by which they are known again, ascending, each once: equal ones have one key.

    Modules with fewer than four charged cells have none.
    """
    return np.unique(_keys(calq))


def n_known(calq: IntArray, keys: npt.NDArray[np.uint64]) -> int:
    """Number of modules (n, 48) whose keys are among these; see `row_keys`."""
    return int(np.isin(_keys(calq), keys).sum())


def _keys(calq: IntArray) -> npt.NDArray[np.uint64]:
    busy = calq[np.count_nonzero(calq, axis=1) >= _CELLS_OF_A_KEY].astype(np.uint64)
    factors = np.random.default_rng(0).integers(1 << 63, size=calq.shape[1], dtype=np.uint64) * np.uint64(2)
    keys: npt.NDArray[np.uint64] = (busy * (factors + np.uint64(1))).sum(axis=1, dtype=np.uint64)
    return keys


def held_out_rows(modules: CalqTable) -> CalqTable:
    """Those modules of a file that every training with the default `data.seed` and `test_fraction` holds out."""
    events = events_of(modules.extra, of_files=True)
    unit = np.arange(len(modules.calq)) if events is None else np.unique(events, return_inverse=True)[1]
    held_out, _ = _shuffled(int(unit.max(initial=-1)) + 1, DataConfig().seed, TrainingConfig().test_fraction)
    return modules.rows(np.flatnonzero(np.isin(unit, held_out)))


def events_of(extra: pd.DataFrame, of_files: bool) -> npt.NDArray[Any] | None:
    """Events that modules are from, (n,), as their columns tell; None if they do not, or of too few to split.

    `of_files`: whether they were read from files; the modules that a configuration generates are of few events.
    """
    if EVENT in extra:
        return extra[EVENT].to_numpy()
    if not of_files or _EVENT_OF_FILES not in extra:
        return None
    events = extra[_EVENT_OF_FILES].to_numpy()
    return events if len(np.unique(events)) >= _FEWEST_EVENTS else None


def _shuffled(n_rows: int, seed: int, test_fraction: float) -> tuple[IntArray, IntArray]:
    """Held-out rows, and the others."""
    shuffled = np.random.default_rng(seed).permutation(n_rows)
    n_test = round(test_fraction * n_rows)
    return shuffled[:n_test], shuffled[n_test:]


def split_rows(calq: IntArray, config: Config, events: npt.NDArray[Any] | None = None) -> Split:
    """Split rows: held-out ones depend only on `data.seed` and `test_fraction`; other seeds split the rest.

    With `events` (n,), whole events are held out: modules of one event are alike. Empty modules teach nothing and are
    left out of the training and validation rows. Raises InputError if no row is left to train, to validate or to test.

    Examples:
        >>> from models import Config
        >>> from training import generate
        >>> from training.data import split_rows
        >>> split = split_rows(generate(100, seed=1), Config.load("econ_t_5elink"))
        >>> len(split.train), len(split.validation), len(split.test)
        (65, 10, 25)
    """
    training = config.training
    if events is None:
        n_validation = round(training.validation_fraction * len(calq))
        test, rest = _shuffled(len(calq), config.data.seed, training.test_fraction)
        rest = rest[calq[rest].any(axis=1)]
        split = Split(np.sort(rest[n_validation:]), np.sort(rest[:n_validation]), np.sort(test))
    else:
        _, number = np.unique(events, return_inverse=True)
        n_events = int(number.max(initial=-1)) + 1
        n_validation = round(training.validation_fraction * n_events)
        test_events, others = _shuffled(n_events, config.data.seed, training.test_fraction)
        test, filled = np.flatnonzero(np.isin(number, test_events)), calq.any(axis=1)
        validates = np.isin(number, others[:n_validation])
        rest = np.flatnonzero(filled & np.isin(number, others))
        split = Split(rest[~validates[rest]], rest[validates[rest]], test)
    for name, rows in vars(split).items():
        if not len(rows):
            raise InputError(f"{len(calq)} modules, {len(rest) + len(test)} of them usable, leave none for {name}; "
                             "provide more modules")
    return split


def resampled(rows: IntArray, extra: pd.DataFrame, data: DataConfig) -> IntArray:
    """Draw rows, ascending, so that `data.signal_fraction` of them have energy of the process; as many as before.

    Rows of the kind that is too frequent are left out, those of the other kind repeated. Raises InputError if there is
    no column of the energy, or no row of one kind.
    """
    name = next((name for name in ("simenergy", "SimEnergyFraction") if name in extra), None)
    if name is None:
        raise InputError("data.signal_fraction: column simenergy (or SimEnergyFraction) is missing")
    energy = extra[name].to_numpy()[rows]
    signal = energy > 0
    if signal.all() or not signal.any():
        raise InputError(f"data.signal_fraction: {int(signal.sum())} of {len(rows)} training rows have energy in "
                         f"column {name}, expected rows of both kinds")
    assert data.signal_fraction is not None
    rng = np.random.default_rng([data.seed, 1])
    n_signal = round(data.signal_fraction * len(rows))
    groups = [np.flatnonzero(signal)]
    if data.energy_bins:
        bins = np.digitize(energy, data.energy_bins)
        groups = [group for k in range(len(data.energy_bins) + 1) if len(group := np.flatnonzero(signal & (bins == k)))]
    drawn = [_drawn(group, len(part), rng)
             for group, part in zip(groups, np.array_split(np.arange(n_signal), len(groups)), strict=True)]
    drawn.append(_drawn(np.flatnonzero(~signal), len(rows) - n_signal, rng))
    return np.sort(rows[np.concatenate(drawn)])


def _drawn(rows: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """`n` of the rows, each as often as any other, give or take one."""
    whole, rest = divmod(n, len(rows))
    return np.concatenate([np.tile(rows, whole), rng.permutation(rows)[:rest]])


def check_columns(extra: pd.DataFrame) -> None:
    """Raise InputError unless CSV can hold these columns: each of one simple type, with a name of its own."""
    names = [str(name) for name in extra.columns]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"data: column {name} is given twice, expected different names")
        if any(c in ',"\r\n' for c in name):
            raise InputError(f"data: column {name!r}, expected a name without commas, quotes and line breaks")
        with parsing(f"data: column {name}", "numbers or texts of one type"):
            pa_csv.write_csv(pa.table({"column": pa.array(extra[name])}), io.BytesIO())
