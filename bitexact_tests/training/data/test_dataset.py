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
from training.data.dataset import Dataset, held_out_rows, split_rows
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


def _of_events(tmp_path: Path, **data: object) -> Dataset:
    calq = generate(600, seed=5)
    energy = np.where(np.arange(600) % 10 == 0, 1 + np.arange(600) % 4, 0.0)
    extra = pd.DataFrame({"event": np.arange(600) // 7, "simenergy": energy})
    write_calq(tmp_path / "calq.parquet", calq, extra=extra)
    return Dataset.from_config(small().override(data={"files": [str(tmp_path / "calq.parquet")], **data}))


def test_whole_events_are_held_out(tmp_path: Path) -> None:
    dataset = _of_events(tmp_path)
    events = [set(part.extra["event"]) for part in (dataset.train, dataset.validation, dataset.test)]
    assert not events[0] & events[1] and not events[0] & events[2] and not events[1] & events[2]
    assert len(events[2]) == round(0.25 * 86) and len(events[1]) == round(0.1 * 86)
    other = Dataset.from_config(dataset.config.override(training={"seed": 9, "validation_fraction": 0.3}))
    np.testing.assert_array_equal(other.split.test, dataset.split.test)


@pytest.mark.parametrize("column", ["event", "entry"])
def test_rows_held_out_of_a_file_are_those_of_its_trainings(column: str, tmp_path: Path) -> None:
    calq = generate(300, seed=5)
    write_calq(tmp_path / "calq.parquet", calq, extra=pd.DataFrame({column: np.arange(300) // 7}))
    dataset = Dataset.from_config(small().override(data={"files": [str(tmp_path / "calq.parquet")]}))
    events = [set(part.extra[column]) for part in (dataset.train, dataset.validation, dataset.test)]
    assert len(events[2]) == round(0.25 * 43) and not events[2] & (events[0] | events[1]) and not events[0] & events[1]
    held_out = held_out_rows(dataset.modules)
    np.testing.assert_array_equal(held_out.calq, dataset.test.calq)
    np.testing.assert_array_equal(held_out.extra[column], dataset.test.extra[column])


def test_few_entries_are_split_by_row(tmp_path: Path) -> None:
    calq = generate(100, seed=5)
    write_calq(tmp_path / "one.parquet", calq)
    write_calq(tmp_path / "other.parquet", calq, extra=pd.DataFrame({"entry": np.arange(100) // 12}))
    one, other = (Dataset.from_config(small().override(data={"files": [str(tmp_path / name)]})).split
                  for name in ("one.parquet", "other.parquet"))
    np.testing.assert_array_equal(one.test, other.test)


def test_training_rows_alone_are_resampled(tmp_path: Path) -> None:
    plain, drawn = _of_events(tmp_path), _of_events(tmp_path, signal_fraction=0.4)
    np.testing.assert_array_equal(plain.split.test, drawn.split.test)
    np.testing.assert_array_equal(plain.split.validation, drawn.split.validation)
    assert len(plain.split.train) == len(drawn.split.train)
    assert set(drawn.split.train) <= set(plain.split.train)
    signal = drawn.train.extra["simenergy"] > 0
    assert signal.sum() == round(0.4 * len(signal))
    times = np.bincount(drawn.split.train[signal])
    assert np.ptp(times[times > 0]) <= 1, "each row as often as any other"
    pile_up = drawn.split.train[~signal]
    assert len(np.unique(pile_up)) == len(pile_up)
    binned = _of_events(tmp_path, signal_fraction=0.4, energy_bins=[2.5])
    energy = binned.train.extra["simenergy"]
    assert abs((energy > 2.5).sum() - (energy[energy > 0] < 2.5).sum()) <= 1


@pytest.mark.parametrize(("data", "message"), [
    ({"energy_bins": [1.0]}, "energy_bins need signal_fraction"),
    ({"energy_bins": [2.0, 1.0], "signal_fraction": 0.5}, "expected ascending edges"),
])
def test_bad_resampling(data: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small().override(data=data)


def test_resampling_needs_energies_of_both_kinds(tmp_path: Path) -> None:
    config = small().override(data={"files": [str(tmp_path / "calq.csv")], "signal_fraction": 0.5})
    write_calq(tmp_path / "calq.csv", generate(100, seed=5))
    with pytest.raises(InputError, match=r"column simenergy .* is missing"):
        Dataset.from_config(config)
    write_calq(tmp_path / "calq.csv", generate(100, seed=5), extra=pd.DataFrame({"simenergy": np.ones(100)}))
    with pytest.raises(InputError, match="of 65 training rows have energy in column simenergy, expected rows of both"):
        Dataset.from_config(config)
