"""The plain QKeras model: it computes the plain arithmetic of the emulator, bit for bit, and exports exactly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import CONFIGS, REPOSITORY
from emulator import encode
from models.config import Config
from models.errors import InputError
from models.qkeras_encoder import build_encoder, get_weights, set_weights
from models.weights import EncoderWeights

PLAIN = {path.stem: Config.load(path).encoder for path in CONFIGS if Config.load(path).encoder.arithmetic == "qkeras"}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("family", ["random", "sparse", "lowest", "highest"])
def test_qkeras_equals_emulator(name: str, family: str) -> None:
    spec = PLAIN[name]
    weights = {
        "random": EncoderWeights.random(spec, 21),
        "sparse": EncoderWeights.random(spec, 22, density=0.1),
        "lowest": EncoderWeights.constant(spec, -32),
        "highest": EncoderWeights.constant(spec, 31),
    }[family]
    rng = np.random.default_rng(3)
    charges = rng.exponential(10 ** rng.uniform(0, 4, (500, 1)), (500, 48))
    calq = np.where(rng.random((500, 48)) < 0.4, charges, 0).astype(np.uint32)
    trace = encode(weights, calq)
    model = build_encoder(spec)
    set_weights(model, weights)
    found = model.predict(spec.input.value(trace["image_code"])[..., None].astype(np.float32), verbose=0)
    np.testing.assert_array_equal(spec.dense.output.exact(found, "latent"), trace["output_code"])


@pytest.mark.parametrize("settings", ['{"floatx": "float16"}', '{"image_data_format": "channels_first"}', "[]"])
def test_keras_settings_of_the_user_change_nothing(tmp_path: Path, settings: str) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(settings)
    code = """if True:
        import numpy as np, tf_keras
        from models.qkeras_encoder import build_encoder, set_weights
        from models.spec import EncoderSpec
        from models.weights import EncoderWeights
        model = build_encoder(EncoderSpec.chip(5))
        set_weights(model, EncoderWeights.random(EncoderSpec.chip(5), 1))
        print(model.predict(np.full((1, 8, 8, 1), 0.25), verbose=0).dtype, *(v.dtype.name for v in model.weights))
        print(tf_keras.backend.image_data_format())
    """
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=os.environ | {"HOME": str(tmp_path)},
                            capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["float32"] * 5 + ["channels_last"], result.stderr


def test_no_settings_of_keras_are_left_in_the_home_folder(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", "import models.qkeras_setup"], cwd=REPOSITORY, check=True,
                   env=os.environ | {"HOME": str(tmp_path)})
    assert not list(tmp_path.iterdir())


def test_matrix_products_of_a_gpu_round_no_factor() -> None:
    """TensorFloat-32, the default on GPUs, is for those who need no exact sums."""
    import tensorflow as tf

    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_export_takes_what_the_quantisers_see_and_refuses_what_is_not_finite() -> None:
    spec = PLAIN["qkeras_5elink"]
    model = build_encoder(spec)
    set_weights(model, EncoderWeights.random(spec, 1))
    kernel, bias = model.get_layer("dense").get_weights()
    kernel[0, :3] = [0.3, 5.0, -5.0]  # between codes, above, below: the quantiser gives 10/32, 31/32, -1
    model.get_layer("dense").set_weights([kernel, bias])
    np.testing.assert_array_equal(get_weights(model, spec).dense_kernel[0, :3], [10, 31, -32])
    kernel[5, 5] = np.nan
    model.get_layer("dense").set_weights([kernel, bias])
    with pytest.raises(InputError, match="encoder: dense_kernel has a value that is not finite"):
        get_weights(model, spec)
