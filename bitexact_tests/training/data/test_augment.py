"""Augmentation makes legal modules of the kinds it says, from a seed."""

from __future__ import annotations

import numpy as np
import pytest

from models.config import AugmentConfig
from models.trigger_cells import ROTATION, to_trigger_cells
from training.data.augment import augment
from training.production.toy import generate

CALQ = to_trigger_cells(generate(400, seed=1)).astype(np.int64)
OFF = {"rotate": False, "cut": 0.0, "mix": 0.0, "scale": 0.0, "generated": 0.0}


def made(seed: int = 1, calq: np.ndarray = CALQ, pool: np.ndarray | None = None, **options: float) -> np.ndarray:
    return augment(calq, AugmentConfig(**(OFF | options)), np.random.default_rng(seed), pool)


def rows(calq: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in calq.astype(np.int64)}


def test_all_off_changes_nothing() -> None:
    np.testing.assert_array_equal(made(), CALQ)


def test_reproducible() -> None:
    options = {"rotate": True, "cut": 0.3, "mix": 0.3, "scale": 0.5}
    np.testing.assert_array_equal(made(7, **options), made(7, **options))
    assert (made(7, **options) != made(8, **options)).any()


def test_turns() -> None:
    turned = made(rotate=True)
    once, twice = CALQ[:, ROTATION], CALQ[:, ROTATION][:, ROTATION]
    kinds = np.stack([(turned == kind).all(axis=1) for kind in (CALQ, once, twice)])
    assert kinds.any(axis=0).all() and (kinds.mean(axis=1) > 0.2).all()


def test_cut_takes_thirds_of_modules() -> None:
    cut = made(cut=1.0)
    for third in range(3):
        part = slice(16 * third, 16 * third + 16)
        assert rows(np.ascontiguousarray(cut[:, part])) <= rows(np.ascontiguousarray(CALQ[:, part]))
    assert not rows(cut) <= rows(CALQ)


def test_mix_adds() -> None:
    mixed = made(mix=1.0)
    assert (mixed >= CALQ).all() and (mixed > CALQ).any(axis=1).mean() > 0.9


def test_a_module_is_cut_or_mixed_not_both() -> None:
    changed = (made(cut=0.5, mix=0.5) != CALQ).any(axis=1)
    assert changed.mean() > 0.8, "what is not cut is mixed"


def test_scale_keeps_the_shape() -> None:
    large = np.full((400, 48), 10_000)
    scaled = made(calq=large, scale=0.5)
    assert (scaled == scaled[:, :1]).all()
    assert scaled.min() >= 7071 and scaled.max() <= 14143 and np.ptp(scaled) > 5000


def test_sums_stay_within_the_register() -> None:
    assert made(calq=np.full((10, 48), 1 << 21), mix=1.0, scale=4.0).sum(axis=1).max() < 1 << 22


def test_nothing_becomes_empty() -> None:
    faint = np.zeros((300, 48), np.int64)
    faint[np.arange(300), np.arange(300) % 48] = 1
    assert made(calq=faint, cut=1.0, scale=4.0).any(axis=1).all()


def test_generated_modules_replace_their_part() -> None:
    pool = np.full((5, 48), 7)
    replaced = (made(pool=pool, generated=0.25) == 7).all(axis=1)
    assert replaced.sum() == 100 and not (np.flatnonzero(replaced) == np.arange(100)).all()


def test_parts_of_one_whole() -> None:
    with pytest.raises(ValueError, match="expected a sum of at most 1"):
        AugmentConfig(cut=0.6, mix=0.6)
