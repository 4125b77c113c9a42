"""The encoder that is trained equals the emulator bit for bit, on every kind of weights, in both arithmetics."""

from __future__ import annotations

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from emulator import encode
from models.config import Config
from models.errors import InputError
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.production.toy import generate

tf = pytest.importorskip("tensorflow")

from training.networks.chip_encoder import ExactEncoder, image_codes  # noqa: E402  (after the check that TensorFlow is there)

CALQ = np.concatenate([
    generate(400, seed=3), np.eye(48, dtype=np.uint32) * 4095, np.zeros((2, 48), np.uint32),
    np.full((1, 48), 87381, np.uint32), np.ones((1, 48), np.uint32),
])


def encoder_with(spec: EncoderSpec, weights: EncoderWeights | None = None) -> ExactEncoder:
    encoder = ExactEncoder(spec, seed=1)
    encoder.build((None, 8, 8))
    if weights is not None:
        encoder.set_codes(weights)
    return encoder


def assert_equals_emulator(encoder: ExactEncoder, calq: np.ndarray) -> None:
    spec = encoder.spec
    image = image_codes(spec, calq)
    trace = encode(encoder.codes(), calq)
    np.testing.assert_array_equal(image, trace["image_code"])
    for stage, tensor in encoder.stages(image).items():
        np.testing.assert_array_equal(tensor.numpy().reshape(trace[stage].shape), trace[stage], err_msg=stage)
    np.testing.assert_array_equal(encoder(image).numpy(), spec.latent.value(trace["latent_code"]))


@pytest.mark.parametrize("kind", ["random", "sparse", "lowest", "highest", "zero"])
def test_equals_emulator(config: Config, kind: str) -> None:
    spec = config.encoder
    form = spec.dense.weight
    weights = {
        "random": lambda: EncoderWeights.random(spec, 1),
        "sparse": lambda: EncoderWeights.random(spec, 2, density=0.2),
        "lowest": lambda: EncoderWeights.constant(spec, form.min_code),
        "highest": lambda: EncoderWeights.constant(spec, form.max_code),
        "zero": lambda: EncoderWeights.constant(spec, 0),
    }[kind]()
    encoder = encoder_with(spec, weights)
    for name, code in encoder.codes().arrays.items():
        np.testing.assert_array_equal(code, weights.arrays[name], "weights change on their way in and out")
    assert_equals_emulator(encoder, CALQ)


def test_equals_emulator_during_training(config: Config) -> None:
    """Real-valued variables between the codes, as gradient steps leave them; large steps reach the limits."""
    encoder = encoder_with(config.encoder)
    image = tf.constant(image_codes(config.encoder, CALQ))
    optimizer = tf.keras.optimizers.Adam(0.05)
    first = encoder.codes()
    for _ in range(12):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(encoder(image) - 0.7))
        variables = encoder.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    assert (encoder.codes().flat != first.flat).any(), "training did not move the weights"
    assert_equals_emulator(encoder, CALQ)


def test_gradient_is_that_of_the_arithmetic_without_cuts() -> None:
    """Far from every limit, against finite differences of the same network in real numbers."""
    spec = Config.load(REPOSITORY / "configs/econ_t_5elink.yaml").encoder
    rng = np.random.default_rng(4)
    values = {name: rng.uniform(0.05, 0.2, shape) for name, shape in spec.weight_shapes.items()}
    values["dense_kernel"] *= 0.1  # keeps the latents away from saturation
    encoder = encoder_with(spec)
    for name, value in values.items():
        encoder.values[name].assign(np.round(value * 32) / 32)
    values = {name: variable.numpy().astype(float) for name, variable in encoder.values.items()}
    image = image_codes(spec, CALQ[:20])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(image))
    gradients = dict(zip(encoder.values, tape.gradient(loss, list(encoder.values.values())), strict=True))

    def real_network(values: dict[str, np.ndarray]) -> float:
        padded = np.pad(image / 128, ((0, 0), (0, 1), (0, 1)))
        cells = np.stack([padded[:, r : r + 7 : 2, c : c + 7 : 2] for r in range(3) for c in range(3)], axis=-1)
        hidden = np.maximum(cells @ values["conv_kernel"].reshape(9, 8) + values["conv_bias"], 0).reshape(20, -1)
        return float(np.maximum(hidden @ values["dense_kernel"] + values["dense_bias"], 0).sum())

    step = 1e-4
    for name in values:
        index = tuple(rng.integers(size) for size in values[name].shape)
        nudged = {key: value.copy() for key, value in values.items()}
        nudged[name][index] += step
        expected = (real_network(nudged) - real_network(values)) / step
        # The hidden values are floored codes, so gradients by the dense kernel differ by less than one code per event.
        assert gradients[name].numpy()[index] == pytest.approx(expected, rel=0.1, abs=20 / 128), name


def test_weights_are_rounded_half_to_even_and_clipped() -> None:
    """Up, down, between two codes and beyond both ends of S1.5."""
    encoder = encoder_with(EncoderSpec.chip(5))
    codes = np.array([0.4, 0.6, -0.4, -0.6, 0.5, 1.5, -40, 40])
    encoder.values["conv_bias"].assign(codes / 32)
    np.testing.assert_array_equal(encoder.codes().arrays["conv_bias"], [0, 1, 0, -1, 0, 2, -32, 31])


def test_export_refuses_what_is_no_number() -> None:
    encoder = encoder_with(Config.load(REPOSITORY / "configs/econ_t_5elink.yaml").encoder)
    broken = encoder.values["conv_bias"].numpy()
    broken[3] = np.nan
    encoder.values["conv_bias"].assign(broken)
    with pytest.raises(InputError, match=r"conv_bias\[3\] = nan"):
        encoder.codes()


def test_a_spec_beyond_float32_is_refused() -> None:
    spec = Config.load(REPOSITORY / "configs/qkeras_5elink.yaml").encoder
    wide = spec.model_copy(update={"dense": spec.dense.evolve(weight="S1.17")})  # a spec would refuse it
    with pytest.raises(ValueError, match="dense: sums of"):
        ExactEncoder(wide, seed=1)
