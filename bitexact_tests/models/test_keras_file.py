"""Encoders from Keras files: exact where the file is on the grid, reported where it is not, refused where unclear."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from models.config import Config
from models.errors import InputError
from models.keras_file import import_keras
from models.weights import EncoderWeights

SPEC = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml").encoder


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


def layers(weights: EncoderWeights, prefix: str = "encoder/") -> dict[str, np.ndarray]:
    values = weights.values()
    return {f"{prefix}{name.replace('_', '/')}:0": values[name].astype(np.float32) for name in values}


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_saved_by_keras_itself(tmp_path: Path, suffix: str) -> None:
    from models.qkeras_encoder import build_encoder, get_weights, set_weights

    model = build_encoder(SPEC)
    weights = EncoderWeights.random(SPEC, 4)
    set_weights(model, weights)
    np.testing.assert_array_equal(get_weights(model, SPEC).flat, weights.flat)
    path = tmp_path / f"encoder{suffix}"
    if suffix == ".h5":
        model.save(path)
    else:
        model.save_weights(path)
    imported, report = import_keras(path, SPEC)
    np.testing.assert_array_equal(imported.flat, weights.flat)
    assert all(row.n_rounded == row.n_clipped == 0 and row.largest_change == 0 for row in report)


def test_rounding_and_clipping_are_reported(tmp_path: Path) -> None:
    arrays = layers(EncoderWeights.constant(SPEC, 0))
    kernel = arrays["encoder/dense/kernel:0"]
    kernel[0, :4] = [0.5 / 32, 1.5 / 32, 1.5, -1.0]
    weights, report = import_keras(write(tmp_path / "e.h5", arrays), SPEC)
    np.testing.assert_array_equal(weights.dense_kernel[0, :4], [0, 2, 31, -32])
    row = next(row for row in report if row.name == "dense_kernel")
    assert (row.n_rounded, row.n_clipped, row.n_values) == (2, 1, 2048)
    np.testing.assert_allclose(row.largest_change, 1.5 - 31 / 32)


def test_decoder_and_optimizer_are_left_out(tmp_path: Path) -> None:
    weights = EncoderWeights.random(SPEC, 5)
    others = {f"{prefix}/{name}": np.full(values.shape, 0.25, np.float32)
              for prefix in ("decoder", "optimizer_weights", "conv2D_t_1") for name, values in layers(weights).items()}
    imported, _ = import_keras(write(tmp_path / "e.h5", layers(weights) | others), SPEC)
    np.testing.assert_array_equal(imported.flat, weights.flat)


def test_unclear_files_are_refused(tmp_path: Path) -> None:
    arrays = layers(EncoderWeights.random(SPEC, 6), prefix="")
    with pytest.raises(InputError, match=r"2 arrays .* of shape \(128, 16\) for dense_kernel"):
        import_keras(write(tmp_path / "two.h5", arrays | {"other/kernel": arrays["dense/kernel:0"]}), SPEC)
    del arrays["conv/bias:0"]
    with pytest.raises(InputError, match=r"no array of shape \(8,\) for conv_bias"):
        import_keras(write(tmp_path / "none.h5", arrays), SPEC)
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF" + bytes(50))
    with pytest.raises(InputError, match=r"bad.h5: not readable as HDF5"):
        import_keras(tmp_path / "bad.h5", SPEC)
    arrays = layers(EncoderWeights.random(SPEC, 6))
    arrays["encoder/conv/bias:0"][3] = np.nan
    with pytest.raises(InputError, match=r"bias:0\[3\] is not finite"):
        import_keras(write(tmp_path / "nan.h5", arrays), SPEC)
