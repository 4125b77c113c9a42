"""Against what users have: hls4ml's own csim, POT called row by row, an emulator that takes a table row by row.

Both sides get the same events and must find the same: integers equal, distances within the precision of POT.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bitexact_tests.bench.side_by_side import side_by_side
from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples import scalar_chip
from bitexact_tests.samples.charge_maps import maps
from bitexact_tests.samples.chip_settings import registers_of
from emulator import EconT, encode
from hls.backends import BACKENDS
from hls.cache import compiled
from hls.csim import run_csim
from models.config import Config
from models.trigger_cells import distance_matrix, image_order
from models.weights import EncoderWeights
from training.physics.emd import emd
from training.production.toy import generate


def charges(benchmark: Any, n_events: int) -> np.ndarray:
    """Generated modules in the order after the mux; few for a test."""
    n_events = n_events if benchmark.enabled else 20
    return generate(n_events, 1)[:, np.argsort(image_order())].astype(np.int64)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every pair as a benchmark; as a test one, which compiles fastest."""
    if "backend" in metafunc.fixturenames:
        pairs = [(name, backend) for name in ("econ_t_5elink", "qkeras_5elink") for backend in ("catapult", "vitis")]
        benchmarks = metafunc.config.getoption("benchmark_enable")
        metafunc.parametrize(("name", "backend"), pairs if benchmarks else pairs[:1], scope="module")


@pytest.fixture(scope="module")
def encoder(name: str) -> tuple[Config, EncoderWeights]:
    config = Config.load(REPOSITORY / "configs" / f"{name}.yaml")
    return config, EncoderWeights.random(config.encoder, 1, density=0.5)


@pytest.fixture(scope="module")
def hls4ml_model(encoder: Any, backend: str, gxx: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The encoder as hls4ml's tutorials convert and compile it; the precisions make it the same encoder."""
    from hls.conversion import layer_precisions
    from models.qkeras_encoder import build_encoder, set_weights

    # isort: split
    import hls4ml

    config, weights = encoder
    keras_model = build_encoder(config.encoder)
    set_weights(keras_model, weights)
    backend = BACKENDS[backend].hls4ml_name
    with contextlib.redirect_stdout(io.StringIO()):
        settings = hls4ml.utils.config_from_keras_model(keras_model, granularity="name", backend=backend)
        for layer, precision in layer_precisions(config.encoder).items():
            settings["LayerName"][layer]["Precision"] |= precision
        model = hls4ml.converters.convert_from_keras_model(
            keras_model, hls_config=settings, output_dir=str(tmp_path_factory.mktemp("hls4ml")), backend=backend)
        model.compile()
    return model


@pytest.mark.parametrize("ours", ["csim", "emulator"])
def test_hls4ml_csim(benchmark: Any, hls4ml_model: Any, encoder: Any, backend: str, ours: str) -> None:
    """hls4ml starts from the normalised image; ours start from the charges, and csim from a file of them."""
    config, weights = encoder
    spec = config.encoder
    calq = charges(benchmark, 8_192)
    codes = encode(weights, calq, keep=["image_code"])["image_code"]
    image = (codes[..., None] / 2**spec.input.fraction_bits).astype(np.float32)
    if ours == "csim":
        compiled(config, backend)

    def run_ours() -> np.ndarray:
        result = run_csim(config, weights, calq, backend, keep=["latent_code"]) if ours == "csim" \
            else encode(weights, calq, keep=["latent_code"])
        return result["latent_code"]

    benchmark.group = f"hls4ml {backend} csim"
    found, value = side_by_side(benchmark, run_ours, lambda: hls4ml_model.predict(image), len(calq))
    assert found.any()
    np.testing.assert_array_equal(found, value * 2**spec.dense.output.fraction_bits)


def encode_row(row: pd.Series, weights: dict[str, np.ndarray]) -> list[int]:
    """The 16 latents of one module, as the specification of the chip puts it."""
    calq = row.to_numpy()
    module_sum = int(calq.sum())
    x = calq << 7 >> (module_sum.bit_length() - 1) if module_sum else calq
    image = np.zeros((9, 9), dtype=np.int64)  # with the padding, a row below and a column to the right
    image[:4, :8] = x[:32].reshape(4, 8)
    image[4:8, :4] = x[32:].reshape(4, 4)
    hidden = []
    for r in range(0, 8, 2):
        for c in range(0, 8, 2):
            products = image[r : r + 3, c : c + 3, None] * weights["conv_kernel"].reshape(3, 3, 8) >> 5
            hidden.extend(products.sum(axis=(0, 1)) + (weights["conv_bias"] << 2))
    h = np.clip(hidden, 0, 255)
    latent = (h[:, None] * weights["dense_kernel"] >> 4).sum(axis=0) + (weights["dense_bias"] << 3)
    return np.clip(latent, 0, 511).tolist()


def test_row_wise_encoder(benchmark: Any) -> None:
    spec = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml").encoder
    weights = EncoderWeights.random(spec, 1, density=0.5)
    codes = {name: array.astype(np.int64) for name, array in weights.arrays.items()}
    calq = charges(benchmark, 5_000)
    table = pd.DataFrame(calq)
    benchmark.group = "row-wise pandas encoder"
    found, expected = side_by_side(
        benchmark, lambda: encode(weights, calq, keep=["latent_code"])["latent_code"],
        lambda: table.apply(encode_row, axis=1, args=(codes,)), len(calq))
    assert found.any()
    np.testing.assert_array_equal(found, expected.tolist())


@pytest.mark.parametrize("algorithm", ["TS", "BC"])
def test_row_wise_chip(benchmark: Any, algorithm: str) -> None:
    """Charges to the words of all links, through the output buffer; rows are consecutive bunch crossings."""
    settings = scalar_chip.Settings(algorithm, n_elinks=5, thresholds=[47] * 48)  # 1.35 MIP_T
    chip = EconT(registers_of(settings))
    calq = charges(benchmark, 3_564)
    table = pd.DataFrame(calq)

    def row_wise() -> list[list[int]]:
        none = [[0] * 16] * len(table)  # of what AE alone sends
        return list(scalar_chip.run(settings, [row.tolist() for _, row in table.iterrows()], none, [0] * len(table)))

    benchmark.group = f"row-wise pandas {algorithm}"
    found, expected = side_by_side(benchmark, lambda: chip.run_calq(calq).etx, row_wise, len(calq))
    assert found.any()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("received", ["14 largest cells", "all 48 cells"])
def test_pot_loop(benchmark: Any, received: str) -> None:
    """One process each."""
    true, pred = maps(received, 2_500 if benchmark.enabled else 20)
    emd(true[:1], pred[:1], 1)  # imports POT as it keeps POT from importing TensorFlow
    import ot

    distances = distance_matrix()

    def loop() -> list[float]:
        return [ot.emd2(t / t.sum(), p / p.sum(), distances) for t, p in zip(true, pred, strict=True)]

    benchmark.group = f"POT loop, {received}"
    found, expected = side_by_side(benchmark, lambda: emd(true, pred, 1), loop, len(true))
    assert found.any()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
