"""The charges of a training: their parts, where they come from, and what augmentation draws from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bitexact_tests.samples.runs import small
from models.calq_io import write_calq
from models.errors import InputError
from models.trigger_cells import to_image_order, to_trigger_cells
from training.data.dataset import Dataset, split_rows
from training.production.toy import generate


def test_split_is_a_partition_and_test_rows_do_not_move() -> None:
    calq = generate(1000, seed=1)
    calq[::10] = 0
    split = split_rows(calq, small())
    rows = np.concatenate([split.train, split.validation, split.test])
    assert len(np.unique(rows)) == len(rows) and len(split.test) == 250
    assert set(range(1000)) - set(rows) <= set(range(0, 1000, 10)), "only empty modules may be left out"
    assert calq[split.train].any(axis=1).all() and calq[split.validation].any(axis=1).all()
    other = split_rows(calq, small(seed=9, validation_fraction=0.3))
    np.testing.assert_array_equal(other.test, split.test)


def test_modules_that_augment_are_not_those_that_test() -> None:
    dataset = Dataset.from_config(small())
    assert len(dataset.pool) == 500
    ours, theirs = (to_trigger_cells(part)[part.sum(axis=1) > 99]
                    for part in (dataset.modules.calq, to_image_order(dataset.pool)))
    assert not {row.tobytes() for row in ours} & {row.tobytes() for row in theirs}


def test_parts_are_the_rows_of_the_split(tmp_path: Path) -> None:
    calq = generate(100, seed=3)
    write_calq(tmp_path / "calq.parquet", calq)
    dataset = Dataset.from_config(small().override(data={"files": [str(tmp_path / "calq.parquet")]}))
    for name in ("train", "validation", "test"):
        part, rows = getattr(dataset, name), getattr(dataset.split, name)
        np.testing.assert_array_equal(part.calq, calq[rows])
        assert len(part.extra) == len(rows) and part.source == dataset.source == str(tmp_path / "calq.parquet")
    assert repr(dataset) == f"<Dataset of 100 modules: 65 train, 10 validate, 25 test; {dataset.source}>"


def test_other_columns_stay_with_their_modules(tmp_path: Path) -> None:
    calq = generate(100, seed=3)
    write_calq(tmp_path / "calq.parquet", calq, extra=pd.DataFrame({"layer": np.arange(100) % 3, "entry": range(100)}))
    config = small().override(data={"files": [str(tmp_path / "calq.parquet")]})
    dataset = Dataset.from_config(config)
    np.testing.assert_array_equal(dataset.test.extra["entry"], dataset.split.test)
    assert list(dataset.test.extra.index) == list(range(25))


def test_digest_is_of_the_charges_and_not_of_the_file(tmp_path: Path) -> None:
    for name, seed in (("one.csv", 3), ("same.parquet", 3), ("other.csv", 4)):
        write_calq(tmp_path / name, generate(50, seed))
    one, same, other = (Dataset.from_config(small().override(data={"files": [str(tmp_path / name)]})).digest
                        for name in ("one.csv", "same.parquet", "other.csv"))
    assert one == same != other


def test_source_of_generated_modules() -> None:
    assert Dataset.from_config(small()).source == "simple generator, seed 1"


def test_a_part_without_modules_is_refused() -> None:
    with pytest.raises(InputError, match="leave none for validation"):
        Dataset.from_config(small(validation_fraction=0.01).override(data={"n_modules": 10}))
