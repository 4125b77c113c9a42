"""Encoders in the files of other programs: the codes compute what the model itself does, or the layer is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from bitexact_tests.samples.foreign import SPEC, build
from emulator import encode
from models.errors import InputError
from models.foreign.calls import parse
from models.foreign.functions import function_of, quantised
from models.foreign.layers import Layer
from models.foreign.reference import latents
from models.keras_file import import_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights

CALQ = np.where(np.random.default_rng(3).random((300, 48)) < 0.4,
                np.random.default_rng(4).exponential(200, (300, 48)), 0).astype(np.uint32)


def assert_same_latents(weights: EncoderWeights, run: Callable[[np.ndarray], Any], shape: tuple[int, ...]) -> None:
    trace = encode(weights, CALQ)
    found = np.asarray(run(SPEC.input.value(trace["image_code"]).reshape(-1, *shape).astype(np.float32)))
    assert len(np.unique(found)) > 20
    np.testing.assert_array_equal(found / SPEC.dense.output.lsb, trace["output_code"])


EXACT: dict[str, dict[str, Any]] = {
    "plain": {},
    "activations inside the layers": {"own": True},
    "powers of two": {"weight": "quantized_po2(4)"},
    "ternary": {"weight": "ternary(alpha=0.5)"},
    "coarser steps": {"weight": "quantized_bits(6,1,alpha=1)"},
    "symmetric": {"weight": "quantized_bits(6,0,1,alpha=1)", "scale": 1.5},
    "scaled by powers of two": {"weight": "quantized_bits(4,0,alpha='auto_po2')", "scale": 0.9},
    "scaled as nobody asked for": {"weight": "quantized_bits(4,0)", "scale": 0.45},  # by 1/2
    "channels first": {"first": True},
    "channels first, put in order by Flatten": {"first": True, "flatten": "in order"},
    "channels first, put in order by Permute": {"first": True, "flatten": "permuted"},
    "Reshape": {"flatten": "reshape"},
    "flat image": {"shape": (64,)},
    "no bias": {"bias": False},
    "normalisation inside": {"norm": "inside"},
    "zeros before": {"pad": True},
    "image as it comes": {"image": None},
}


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: build(**options) for name, options in EXACT.items()}


@pytest.mark.parametrize("name", EXACT)
def test_latents_are_those_of_the_model(models: dict[str, Any], tmp_path: Path, name: str) -> None:
    model = models[name]
    model.save(tmp_path / "encoder.h5")
    imported = import_encoder(tmp_path / "encoder.h5", SPEC)
    assert all(row.n_rounded == row.n_clipped == 0 and row.largest_change == 0 for row in imported.arrays)
    assert not imported.warnings
    shape = model.input_shape[1:]
    assert_same_latents(imported.weights, lambda images: model.predict(images, verbose=0), shape)
    assert imported.network is not None
    trace = encode(imported.weights, CALQ)
    np.testing.assert_array_equal(latents(imported.network, trace["image_code"], SPEC.input),
                                  trace["output_code"] * SPEC.dense.output.lsb)


def save_weights_with_json(model: Any, folder: Path) -> Path:
    model.save_weights(folder / "encoder_w.h5")
    (folder / "encoder.json").write_text(model.to_json())
    (folder / "metrics.json").write_text('{"loss": 1}')
    return folder / "encoder_w.h5"


def save_weights_with_yaml(model: Any, folder: Path) -> Path:
    model.save_weights(folder / "best.weights.h5")
    text = yaml.safe_dump(json.loads(model.to_json()))
    (folder / "network.yaml").write_text(text.replace("target_shape:", "target_shape: !!python/tuple"))
    return folder / "best.weights.h5"


def save_other_form(model: Any, folder: Path) -> Path:
    """As older versions of Keras put the arrays into an archive."""
    model.save(folder / "new.keras")
    with zipfile.ZipFile(folder / "new.keras") as new, zipfile.ZipFile(folder / "encoder.keras", "w") as old:
        for name in ("config.json", "metadata.json"):
            old.writestr(name, new.read(name))
        (folder / "new.h5").write_bytes(new.read("model.weights.h5"))
        with h5py.File(folder / "new.h5", "r+") as file:
            file.move("layers", "_layer_checkpoint_dependencies")
        old.write(folder / "new.h5", "model.weights.h5")
    return folder / "encoder.keras"


def saved(name: str, *options: Any) -> Callable[[Any, Path], Path]:
    def save(model: Any, folder: Path) -> Path:
        model.save(folder / name, *options)
        return folder / name

    return save


def save_frozen(model: Any, folder: Path, batch: int | None = 1) -> Path:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda image: model(image, training=False))
    shape = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32, name="input_1")
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(shape))
    (folder / "encoder.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
    return folder / "encoder.pb"


WAYS: dict[str, Callable[[Any, Path], Path]] = {
    "HDF5": saved("encoder.hdf5"),
    "archive": saved("encoder.keras"),
    "older archive": save_other_form,
    "weights and JSON": save_weights_with_json,
    "weights and YAML": save_weights_with_yaml,
    "SavedModel": saved("encoder"),
    "frozen graph": save_frozen,
    "frozen graph of batches": lambda model, folder: save_frozen(model, folder, None),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["plain", "channels first", "normalisation inside", "scaled as nobody asked for"])
def test_every_kind_of_file_gives_the_same_codes(models: dict[str, Any], tmp_path: Path, way: str, name: str) -> None:
    if "frozen" in way and name == "normalisation inside":
        pytest.skip("TensorFlow cannot freeze it: QConv2DBatchnorm counts its calls")
    model = models[name]
    model.save(tmp_path / "expected.h5")
    expected = import_encoder(tmp_path / "expected.h5", SPEC)
    (tmp_path / "expected.h5").unlink()
    path = WAYS[way](model, tmp_path)
    imported = import_encoder(path, SPEC)
    np.testing.assert_array_equal(imported.weights.flat, expected.weights.flat)
    assert not any("no bias" in line for line in imported.notes)
    assert imported.notes[0].startswith("architecture: ")
    assert imported.network is not None
    trace = encode(imported.weights, CALQ)
    np.testing.assert_array_equal(latents(imported.network, trace["image_code"], SPEC.input),
                                  trace["output_code"] * SPEC.dense.output.lsb)


def test_kernels_whose_alpha_is_not_given_are_scaled_as_qkeras_scales_them() -> None:
    """As in an architecture that was written by hand: saved models have `auto_po2` there. Biases are not scaled."""
    model = build(weight="quantized_bits(4,0)", scale=0.45)
    for name in ("conv", "dense"):
        layer = model.get_layer(name)
        kernel, here = layer.kernel.numpy().astype(np.float64), Layer("QConv2D", name)
        call = parse("quantized_bits(4,0)", here)
        expected = layer.kernel_quantizer_internal(layer.kernel).numpy()
        np.testing.assert_array_equal(quantised(kernel, call, here, is_kernel=True), expected)
        assert (quantised(kernel, call, here, is_kernel=False) != expected).any(), "a scale of 1 shows nothing"


def test_the_encoder_of_an_autoencoder(models: dict[str, Any], tmp_path: Path) -> None:
    """Nested or flat, trained, with a second input and with layers of the same shapes in the decoder."""
    import tf_keras

    layers = tf_keras.layers
    encoder = models["plain"]
    condition = layers.Input((8,))
    code = layers.Input((24,))
    wide = layers.Dense(64, name="dense")(code)  # the name of a layer of the encoder
    decoder = tf_keras.Model(code, layers.Conv2DTranspose(1, 3, padding="same", name="conv")(
        layers.Reshape((8, 8, 1))(wide)), name="decoder")
    image = layers.Input((8, 8, 1))
    nested = tf_keras.Model([image, condition], decoder(layers.Concatenate()([encoder(image), condition])))
    flat = tf_keras.Model([encoder.input, condition], decoder(layers.Concatenate()([encoder.output, condition])))
    encoder.save(tmp_path / "encoder.h5")
    expected = import_encoder(tmp_path / "encoder.h5", SPEC).weights.flat
    for name, model in (("nested", nested), ("flat", flat)):
        model.compile("adam", "mse")
        for suffix in (".h5", ".keras", ""):
            path = tmp_path / f"{name}{suffix}"
            model.save(path)
            np.testing.assert_array_equal(import_encoder(path, SPEC).weights.flat, expected, err_msg=str(path))


def test_weights_alone_say_what_was_assumed(models: dict[str, Any], tmp_path: Path) -> None:
    models["plain"].save(tmp_path / "full.h5")
    expected = import_encoder(tmp_path / "full.h5", SPEC).weights.flat
    (tmp_path / "full.h5").unlink()
    path = tmp_path / "encoder.h5"
    models["plain"].save_weights(path)
    imported = import_encoder(path, SPEC)
    np.testing.assert_array_equal(imported.weights.flat, expected)
    assert imported.network is None
    assert imported.notes == ["no architecture in the file: assumed convolution of stride 2 with 'same' padding, ReLU, "
                              "flatten (row, column, filter), dense layer, ReLU, kernels without scale"]
    models["no bias"].save_weights(path)
    imported = import_encoder(path, SPEC)
    assert not imported.weights.conv_bias.any() and not imported.weights.dense_bias.any()
    assert imported.notes[0].endswith(", no biases")


def test_two_architectures_beside_weights_are_not_guessed(models: dict[str, Any], tmp_path: Path) -> None:
    path = save_weights_with_json(models["channels first"], tmp_path)
    shutil.copy(tmp_path / "encoder.json", tmp_path / "a.json")
    assert "encoder.json" in import_encoder(path, SPEC).notes[0]  # by its name
    (tmp_path / "encoder.json").rename(tmp_path / "b.json")
    assert import_encoder(path, SPEC).network is None
    assert "b.json" in import_encoder(path, SPEC, architecture=tmp_path / "b.json").notes[0]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "signed hidden values": ({"hidden": "quantized_bits(8,1,alpha=1)"},
                             r"layer hidden \(QActivation\) gives -1 for a sum of -1, the chip's ReLU 0"),
    "signed latents": ({"latent": "quantized_bits(9,1,alpha=1)"}, r"layer latent \(QActivation\) gives -1 for a sum"),
    "no activation": ({"hidden": "linear"}, r"layer conv \(QConv2D\) gives -1 for a sum of -1, the chip's ReLU 0"),
    "tanh": ({"latent": "quantized_tanh(9)"}, r"layer latent \(QActivation\) gives -[\d.]+ for a sum of -1"),
    "slope": ({"hidden": "quantized_relu(8,1,negative_slope=0.25)"}, r"layer hidden .* gives -0\.25 for a sum of -1"),
    "coarse hidden values": ({"hidden": "quantized_relu(6,1)"},
                             r"layer hidden .* gives steps of 0\.03125 up to 1\.96875, the configuration's U1\.7"),
    "latents up to 1": ({"latent": "quantized_relu(9,0)"}, r"layer latent .* up to 0\.998047, the "),
    "rounded image": ({"image": "quantized_relu(5,1)"}, r"layer image .* gives 0 for the image code 0\.0078125, the "),
    "kernel": ({"kernel": 5}, r"layer conv \(QConv2D\) has a kernel of shape \(5, 5, 1, 8\), the configuration's is"),
    "stride and pooling": ({"strides": 1, "pool": True}, r"layer conv .* has strides \[1, 1\], the configuration's"),
    "pooling": ({"pool": True}, r"layer pool \(MaxPooling2D\): the chip has no such layer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_chip_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    options, message = REFUSED[name]
    model = build(**options)
    model.save(tmp_path / "encoder.h5")
    with pytest.raises(InputError, match=message) as error:
        import_encoder(tmp_path / "encoder.h5", SPEC)
    assert str(error.value).startswith(f"{tmp_path / 'encoder.h5'}: layer ")
    path = save_frozen(model, tmp_path)
    with pytest.raises(InputError, match=f"{path}: layer "):
        import_encoder(path, SPEC)


def test_activations_that_differ_come_in_only_when_asked_for(tmp_path: Path) -> None:
    build(hidden="quantized_bits(8,1,alpha=1)").save(tmp_path / "encoder.h5")
    imported = import_encoder(tmp_path / "encoder.h5", SPEC, approximate=True)
    assert imported.warnings == ["layer hidden (QActivation) gives -1 for a sum of -1, the chip's ReLU 0"]
    assert all(row.n_rounded == row.n_clipped == 0 for row in imported.arrays)


def test_convolution_of_other_padding_is_refused(tmp_path: Path) -> None:
    import tf_keras

    layers = tf_keras.layers
    for before, padding in ((((1, 0), (1, 0)), "valid"), (((1, 1), (1, 1)), "same"), (((0, 0), (0, 0)), "valid")):
        model = tf_keras.Sequential([
            layers.Input((8, 8, 1)), layers.ZeroPadding2D(before), layers.Conv2D(8, 3, 2, padding, activation="relu"),
            layers.Flatten(), layers.Dense(16, activation="relu")])
        model.save(tmp_path / "encoder.h5")
        with pytest.raises(InputError, match=f"layer conv2d.* with padding '{padding}' and zeros"):
            import_encoder(tmp_path / "encoder.h5", SPEC)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_batch_normalisation_is_folded(tmp_path: Path, where: str) -> None:
    """Exactly, with numbers for which that is possible."""
    model = build(norm=where, weight=None)
    norm = model.get_layer("norm")
    rng = np.random.default_rng(11)
    gamma, beta, mean = rng.choice([0.25, 0.5, 1.0], 8), rng.integers(-8, 8, 8) / 32, rng.integers(-2, 3, 8) / 8
    if where == "behind":  # the shifts of 16 pixels go into one bias, which must hold them
        beta, mean = np.eye(8)[2] / 4, np.zeros(8)
    norm.set_weights([gamma, beta, mean, np.full(8, 1 - norm.epsilon)])
    values = EncoderWeights.random(SPEC, 3).values()
    for layer in ("conv", "dense"):
        model.get_layer(layer).set_weights([np.rint(values[f"{layer}_{part}"] * 4) / 8 for part in ("kernel", "bias")])
    model.save(tmp_path / "encoder.h5")
    imported = import_encoder(tmp_path / "encoder.h5", SPEC)
    assert any("layer norm (BatchNormalization): folded into the" in note for note in imported.notes)
    assert max(row.largest_change for row in imported.arrays) < 1e-6  # of 1 / sqrt(1) in single precision
    trace = encode(imported.weights, CALQ)
    own = model.predict(SPEC.input.value(trace["image_code"])[..., None], verbose=0)
    np.testing.assert_array_equal(own / SPEC.dense.output.lsb, trace["output_code"])


@pytest.mark.parametrize("version", [2, 3])
def test_untrained_encoders_are_named(tmp_path: Path, version: int) -> None:
    import tf_keras

    layers = tf_keras.layers
    for start, scale in (("he_normal", 1), ("glorot_uniform", 1), ("lecun_normal", 1), ("he_normal", 1.2)):
        for bias in (True, False):
            model = tf_keras.Sequential([
                layers.Input((8, 8, 1)),
                layers.Conv2D(8, 3, 2, "same", activation="relu", kernel_initializer=start, use_bias=bias),
                layers.Flatten(), layers.Dense(16, activation="relu", kernel_initializer=start, use_bias=bias)])
            dense = model.layers[-1]
            dense.set_weights([dense.get_weights()[0] * scale, *dense.get_weights()[1:]])
            path = tmp_path / ("encoder.h5" if version == 2 else "encoder.keras")
            model.save(path)
            warned = any("looks untrained" in line for line in import_encoder(path, SPEC).warnings)
            assert warned == (scale == 1), (start, scale, bias)
            if bias:
                dense.set_weights([dense.get_weights()[0], np.eye(16)[3] * 1e-3])
                model.save(path)
                assert not import_encoder(path, SPEC).warnings


def test_untrained_weights_alone_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    kernels = {"conv": np.clip(rng.normal(0, 0.4, (3, 3, 1, 8)), -1.05, 1.05),
               "dense": np.clip(rng.normal(0, 0.12, (128, 16)), -0.284, 0.284)}
    for bias in (0.0, 1e-3):
        with h5py.File(tmp_path / "weights.h5", "w") as file:
            for layer, kernel in kernels.items():
                file[f"{layer}/kernel"], file[f"{layer}/bias"] = kernel, np.full(kernel.shape[-1], bias)
        assert any("looks untrained" in line
                   for line in import_encoder(tmp_path / "weights.h5", SPEC).warnings) == (bias == 0)


KERAS_3 = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras, numpy as np
layers, folder = keras.layers, sys.argv[1]
image = layers.Input((8, 8, 1))
x = layers.Conv2D(8, 3, 2, padding="same", activation="relu")(image)
x = layers.Flatten()(x)
encoder = keras.Model(image, layers.ReLU()(layers.Dense(16, name="latent")(x)), name="encoder")
rng = np.random.default_rng(1)
encoder.set_weights([rng.integers(-16, 16, w.shape) / 32 for w in encoder.get_weights()])
outer = layers.Input((8, 8, 1))
autoencoder = keras.Model(outer, layers.Dense(16)(encoder(outer)))
sequence = keras.Sequential([layers.Input((8, 8, 1)), *encoder.layers[1:]])
for name, model in (("encoder", encoder), ("autoencoder", autoencoder), ("sequence", sequence)):
    model.save(f"{folder}/{name}.keras")
    model.save(f"{folder}/{name}.h5")
encoder.save_weights(f"{folder}/alone.weights.h5")
open(f"{folder}/alone.json", "w").write(encoder.to_json())
np.savez(f"{folder}/expected.npz", *encoder.get_weights())
"""


def test_files_of_keras_3(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    subprocess.run([sys.executable, "-c", KERAS_3, str(tmp_path)], check=True, cwd=tmp_path)
    with np.load(tmp_path / "expected.npz") as file:
        expected = [np.rint(file[name] * 32).astype(int) for name in file.files]
    files = [*tmp_path.glob("*.keras"), *tmp_path.glob("*.h5")]
    assert len(files) == 7
    for path in files:
        imported = import_encoder(path, SPEC)
        for array, codes in zip(imported.weights.arrays.values(), expected, strict=True):
            np.testing.assert_array_equal(array, codes, err_msg=str(path))
        assert imported.network is not None
        own = latents(imported.network, np.zeros((1, 8, 8), int), SPEC.input)
        hidden = np.maximum(np.tile(expected[1], 16) / 32, 0)
        np.testing.assert_array_equal(own[0], np.maximum(hidden @ (expected[2] / 32) + expected[3] / 32, 0))


@pytest.mark.parametrize("text", [
    "quantized_bits(6,0,alpha=1)", "quantized_bits(4, 1, keep_negative=False, alpha=1.0)", "quantized_bits(5,0,1,1,1)",
    "quantized_relu(8,1)", "quantized_relu(3)", "quantized_bits(7,2)",
])
def test_quantisers_written_here_are_those_of_qkeras(text: str) -> None:
    from models.foreign.qkeras_layers import qkeras_function

    layer = Layer("QActivation", "x")
    call = parse(text, layer)
    assert call is not None
    values = np.linspace(-9, 9, 5001)
    expected = np.rint(qkeras_function(call, layer, False)(values) * 2**20) / 2**20
    np.testing.assert_array_equal(function_of(call, layer)(values), expected)
    np.testing.assert_array_equal(quantised(values, call, layer, False), expected)


def test_rounding_and_order_of_the_published_tool(tmp_path: Path, shared_data: Path) -> None:
    """The float encoder beside a published register file becomes that file only with the options of its tool."""
    from models.register_weights import load_weights

    folder = shared_data / "econt_vectors" / "mcDataset" / "AE_8x8_c8_S2_ele_qkeras"
    expected = load_weights(folder / "init.yaml", EncoderSpec.chip(5))
    imported = import_encoder(folder / "encoder.hdf5", EncoderSpec.chip(5), rounding="floor", dense_order="input")
    np.testing.assert_array_equal(imported.weights.flat, expected.flat)
    assert any("not the network of the file" in line for line in imported.notes)
    for options in ({"rounding": "floor"}, {"dense_order": "input"}, {}):
        other = import_encoder(folder / "encoder.hdf5", EncoderSpec.chip(5), **options)  # type: ignore[arg-type]
        assert (other.weights.flat != expected.flat).mean() > 0.1


