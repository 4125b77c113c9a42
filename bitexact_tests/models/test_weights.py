"""Weight files: exact or refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitexact_tests.conftest import REPOSITORY
from models.config import Config
from models.errors import InputError
from models.spec import EncoderSpec
from models.weights import EncoderWeights

SPEC = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml").encoder
OTHER = Config.load(REPOSITORY / "configs" / "econ_t_2elink.yaml").encoder


@settings(deadline=None)
@given(st.integers(0, 10**9), st.floats(0, 1))
def test_flat_and_values_round_trip(seed: int, density: float) -> None:
    weights = EncoderWeights.random(SPEC, seed, density)
    np.testing.assert_array_equal(EncoderWeights.from_flat(SPEC, weights.flat).flat, weights.flat)
    np.testing.assert_array_equal(EncoderWeights.from_values(SPEC, weights.values()).flat, weights.flat)
    assert weights.flat.size == 2144


def test_register_order_is_dense_output_major() -> None:
    weights = EncoderWeights.random(SPEC, 3)
    assert weights.flat[72 + 8 + 128] == weights.dense_kernel[0, 1]
    assert weights.flat[72 + 8 + 1] == weights.dense_kernel[1, 0]
    assert weights.flat[1] == weights.conv_kernel[0, 0, 0, 1]


def test_file_round_trip(tmp_path: Path) -> None:
    weights = EncoderWeights.random(SPEC, 1)
    weights.save(tmp_path / "weights.npz")
    loaded = EncoderWeights.load(tmp_path / "weights.npz", SPEC)
    for name, codes in weights.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], codes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.npz"]


def test_digest_is_of_spec_and_all_codes(tmp_path: Path) -> None:
    weights = EncoderWeights.random(SPEC, 1)
    weights.save(tmp_path / "weights.npz")
    assert EncoderWeights.load(tmp_path / "weights.npz", SPEC).digest() == weights.digest()
    changed = weights.flat
    changed[-1] ^= 1
    others = [EncoderWeights.from_flat(SPEC, changed), EncoderWeights(OTHER, **weights.arrays)]
    assert len({one.digest() for one in (weights, *others)}) == 3


def test_file_of_another_spec_is_refused(tmp_path: Path) -> None:
    EncoderWeights.random(SPEC, 1).save(tmp_path / "weights.npz")
    words = rf"weights are for \d links, not \d \(spec {SPEC.digest()}, expected {OTHER.digest()}\)"
    with pytest.raises(InputError, match=words):
        EncoderWeights.load(tmp_path / "weights.npz", OTHER)


def test_a_file_tells_its_spec(tmp_path: Path) -> None:
    EncoderWeights.random(OTHER, 1).save(tmp_path / "weights.npz")
    assert EncoderWeights.load(tmp_path / "weights.npz").spec == OTHER


def test_a_file_without_its_spec_is_known_by_the_digest_of_the_chip(tmp_path: Path) -> None:
    weights = EncoderWeights.random(EncoderSpec.chip(3), 1)
    np.savez(tmp_path / "weights.npz", digest=np.array(weights.spec.digest()), **weights.arrays)
    assert EncoderWeights.load(tmp_path / "weights.npz").spec == EncoderSpec.chip(3)
    np.savez(tmp_path / "weights.npz", digest=np.array("0" * 16), **weights.arrays)
    with pytest.raises(InputError, match="weights are for spec 0000000000000000, which the file does not hold"):
        EncoderWeights.load(tmp_path / "weights.npz")


def test_a_digest_of_another_spec_in_the_same_file_is_refused(tmp_path: Path) -> None:
    weights = EncoderWeights.random(SPEC, 1)
    np.savez(tmp_path / "weights.npz", spec=np.array(weights.spec.model_dump_json()),
             digest=np.array(OTHER.digest()), **weights.arrays)
    with pytest.raises(InputError, match=f"digest {OTHER.digest()}, expected {SPEC.digest()}"):
        EncoderWeights.load(tmp_path / "weights.npz")


def test_file_without_digest_is_checked_by_range(tmp_path: Path) -> None:
    arrays = {name: np.zeros(shape, int) for name, shape in SPEC.weight_shapes.items()}
    np.savez(tmp_path / "weights.npz", **arrays)
    assert not EncoderWeights.load(tmp_path / "weights.npz", SPEC).flat.any()


@pytest.mark.parametrize(("change", "message"), [
    ({"conv_bias": np.full(8, 32)}, r"conv_bias\[0\] = 32, expected a code of S1.5.*-32..31"),
    ({"conv_bias": np.zeros(7, int)}, r"conv_bias has shape \(7,\), expected \(8,\)"),
    ({"dense_bias": np.zeros(16)}, "dense_bias has type float64, expected integer codes"),
    ({"dense_kernel": None}, "array dense_kernel is missing"),
    ({"dense_bias": np.array([{}] * 16, dtype=object)}, "npz"),
])
def test_bad_arrays_are_refused(tmp_path: Path, change: dict[str, np.ndarray | None], message: str) -> None:
    arrays = {name: np.zeros(shape, int) for name, shape in SPEC.weight_shapes.items()} | change
    np.savez(tmp_path / "w.npz", **{name: codes for name, codes in arrays.items() if codes is not None})
    with pytest.raises(InputError, match=message):
        EncoderWeights.load(tmp_path / "w.npz", SPEC)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 100])
def test_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(InputError, match="not readable as npz"):
        EncoderWeights.load(tmp_path / "w.npz", SPEC)


def test_zip_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conv_kernel.npy", b"\0" * (17 << 20))
    with pytest.raises(InputError, match="bytes unpacked"):
        EncoderWeights.load(tmp_path / "w.npz", SPEC)


def test_values_off_the_grid_are_refused() -> None:
    values = EncoderWeights.random(SPEC, 1).values()
    values["dense_kernel"][5, 2] = 0.01
    with pytest.raises(InputError, match=r"trained: dense_kernel\[5, 2\] = 0.01"):
        EncoderWeights.from_values(SPEC, values, "trained")


def test_what_was_made_for_another_encoder_is_told_in_words() -> None:
    SPEC.check_same(SPEC, "made")
    SPEC.check_same(SPEC.digest(), "made")
    other = EncoderSpec.chip(2 if SPEC.n_elinks != 2 else 3)
    words = rf"^f: made for {other.n_elinks} links, not {SPEC.n_elinks} \(spec {other.digest()}, expected "
    for known in (other, other.digest()):
        with pytest.raises(InputError, match=words + rf"{SPEC.digest()}\); run it again$"):
            SPEC.check_same(known, "f: made", "run it again")
    with pytest.raises(InputError, match=r"^f: made for another encoder \(spec 0123456789abcdef, expected "):
        SPEC.check_same("0123456789abcdef", "f: made")
