"""TensorFlow files of a trained model, and the count of its operations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from emulator import encode
from models.config import Config
from models.weights import EncoderWeights
from training.__main__ import app
from training.cost import MEANINGS, cost
from training.generator import generate

tf = pytest.importorskip("tensorflow")

from training.export_graphs import (  # noqa: E402
    DECODER_OUTPUT,
    ENCODER_OUTPUT,
    DecoderModule,
    EncoderModule,
    export_graphs,
    run_frozen,
)
from training.layers import image_codes  # noqa: E402
from training.network import build_decoder  # noqa: E402


def test_files_compute_what_the_emulator_does(tmp_path: Path) -> None:
    config = Config.load(REPOSITORY / "configs/econ_t_4elink.yaml")
    spec = config.encoder
    weights = EncoderWeights.random(spec, 1, density=0.4)
    decoder = build_decoder(spec, config.training.decoder, seed=1)
    export_graphs(spec, weights, decoder, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"encoder", "encoder.pb", "decoder", "decoder.pb"}
    calq = generate(200, seed=1)
    trace = encode(spec, weights, calq)
    expected = spec.latent.value(trace["latent_code"])
    image = tf.constant(image_codes(spec, calq)[..., None] / 128)
    encoder = EncoderModule(spec, weights)
    np.testing.assert_array_equal(
        run_frozen(tmp_path / "encoder.pb", encoder.signature, [image], ENCODER_OUTPUT), expected)
    served = tf.saved_model.load(str(tmp_path / "encoder")).signatures["serving_default"](input_1=image)
    np.testing.assert_array_equal(next(iter(served.values())).numpy(), expected)
    latent, seen = tf.constant(expected, tf.float32), tf.ones((200, 2))
    found = run_frozen(tmp_path / "decoder.pb", DecoderModule(decoder).signature, [latent, seen], DECODER_OUTPUT)
    np.testing.assert_allclose(found, decoder([latent, seen]).numpy(), rtol=1e-5)


def test_cost_of_the_chip() -> None:
    """3x3 kernels at 4x4 places, the last row and column of places with one row or column of the kernel outside."""
    figures = cost(Config.load(REPOSITORY / "configs/econ_t_5elink.yaml").encoder)
    assert set(figures) == set(MEANINGS)
    assert figures["parameters"] == 2144 and figures["parameter_bits"] == 12864
    assert figures["macs"] == 16 * 9 * 8 + 128 * 16
    assert figures["macs_in_image"] == (9 * 9 + 2 * 3 * 6 + 4) * 8 + 128 * 16
    assert figures["bit_operations"] == figures["macs"] * 8 * 6
    assert figures["flops"] == 2 * figures["macs_in_image"] + 2 * (128 + 16)


def test_flops_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["flops", "--config", str(REPOSITORY / "configs/econ_t_2elink.yaml"),
                                      "--json", str(tmp_path / "cost.json")])
    assert result.exit_code == 0, result.output
    assert '"macs": 3200' in (tmp_path / "cost.json").read_text()
