"""Encoder and decoder as graphs of TensorFlow and ONNX, which compute what the emulator does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from bitexact_tests.conftest import REPOSITORY
from emulator import encode
from models.config import Config
from models.errors import InputError
from models.keras_file import import_encoder
from models.weights import EncoderWeights
from training.networks.chip_encoder import image_codes
from training.networks.decoder import build_decoder
from training.networks.graphs import (
    DECODER_OUTPUT,
    ENCODER_OUTPUT,
    DecoderModule,
    EncoderModule,
    export_graphs,
    run_frozen,
    run_onnx,
    to_onnx,
)
from training.production.toy import generate

tf = pytest.importorskip("tensorflow")


def test_files_compute_what_the_emulator_does(tmp_path: Path) -> None:
    config = Config.load(REPOSITORY / "configs/econ_t_4elink.yaml")
    spec = config.encoder
    weights = EncoderWeights.random(spec, 1, density=0.4)
    decoder = build_decoder(spec, config.training.decoder, seed=1)
    export_graphs(spec, weights, decoder, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{model}{suffix}" for model in ("encoder", "decoder") for suffix in ("", ".pb", ".onnx")}
    calq = generate(200, seed=1)
    trace = encode(weights, calq)
    expected = spec.latent.value(trace["latent_code"])
    image = tf.constant(image_codes(spec, calq)[..., None] / 128)
    encoder = EncoderModule(spec, weights)
    np.testing.assert_array_equal(
        run_frozen(tmp_path / "encoder.pb", encoder.signature, [image], ENCODER_OUTPUT), expected)
    np.testing.assert_array_equal(
        run_onnx(tmp_path / "encoder.onnx", encoder.signature, [image], ENCODER_OUTPUT), expected)
    served = tf.saved_model.load(str(tmp_path / "encoder")).signatures["serving_default"](input_1=image)
    np.testing.assert_array_equal(next(iter(served.values())).numpy(), expected)
    latent, seen = tf.constant(expected, tf.float32), tf.ones((200, 2))
    found = run_frozen(tmp_path / "decoder.pb", DecoderModule(decoder).signature, [latent, seen], DECODER_OUTPUT)
    np.testing.assert_allclose(found, decoder([latent, seen]).numpy(), rtol=1e-5)
    found = run_onnx(tmp_path / "decoder.onnx", DecoderModule(decoder).signature, [latent, seen], DECODER_OUTPUT)
    np.testing.assert_allclose(found, decoder([latent, seen]).numpy(), rtol=1e-4, atol=1e-7)


def test_what_was_exported_comes_back_from_the_saved_model(tmp_path: Path) -> None:
    """The frozen graph cuts products, which is more than arithmetic on images; the error names what to take instead."""
    spec = Config.load("econ_t_2elink").encoder
    weights = EncoderWeights.random(spec, 2)
    module = EncoderModule(spec, weights)
    tf.saved_model.save(module, str(tmp_path / "encoder"), signatures=module.function)
    assert import_encoder(tmp_path / "encoder", spec).weights.digest() == weights.digest()
    frozen = convert_variables_to_constants_v2(module.function.get_concrete_function()).graph.as_graph_def()
    (tmp_path / "encoder.pb").write_bytes(frozen.SerializeToString())
    with pytest.raises(InputError, match=r"\(ExtractImagePatches\), expected arithmetic .*; graphs of econ-t export "
                       r"have such nodes: give the folder of the SavedModel .* weights\.npz of its run"):
        import_encoder(tmp_path / "encoder.pb", spec)


@pytest.mark.parametrize("name", ["econ_t_2elink", "qkeras_5elink"])
def test_onnx_of_every_arithmetic(name: str, tmp_path: Path) -> None:
    """Names of the file's own inputs and outputs, for programs that know nothing of TensorFlow."""
    import onnx

    spec = Config.load(REPOSITORY / f"configs/{name}.yaml").encoder
    weights = EncoderWeights.random(spec, 3)
    module = EncoderModule(spec, weights)
    frozen = convert_variables_to_constants_v2(module.function.get_concrete_function()).graph.as_graph_def()
    (tmp_path / "encoder.onnx").write_bytes(to_onnx(frozen, module.signature, ENCODER_OUTPUT))
    model = onnx.load(tmp_path / "encoder.onnx")
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.input] == ["input_1"]
    assert [value.name for value in model.graph.output] == [ENCODER_OUTPUT]
    calq = generate(500, seed=2)
    image = tf.constant(image_codes(spec, calq)[..., None] / 128)
    found = run_onnx(tmp_path / "encoder.onnx", module.signature, [image], ENCODER_OUTPUT)
    code = encode(weights, calq)["latent_code"]
    assert len(np.unique(code)) > 5
    np.testing.assert_array_equal(found, spec.latent.value(code))


def test_a_file_that_computes_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more in a constant of the ONNX graph: an error, and no file."""
    config = Config.load(REPOSITORY / "configs/econ_t_4elink.yaml")

    def wrong(definition: Any, signature: list[Any], output_name: str) -> bytes:
        import onnx

        model = onnx.load_from_string(to_onnx(definition, signature, output_name))
        value = max(model.graph.initializer, key=lambda one: one.ByteSize())
        value.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(value) + np.float32(1), value.name))
        return bytes(model.SerializeToString())

    monkeypatch.setattr("training.networks.graphs.to_onnx", wrong)
    with pytest.raises(RuntimeError, match=r"encoder.onnx: its outputs, after reading it back, differ"):
        export_graphs(config.encoder, EncoderWeights.random(config.encoder, 1),
                      build_decoder(config.encoder, config.training.decoder, seed=1), tmp_path)
    assert not (tmp_path / "encoder.onnx").exists()
